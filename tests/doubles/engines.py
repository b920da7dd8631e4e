"""A real Docker engine of the test's own, and containers that run this Python.

Nothing outside of a temporary folder is touched: no bridge, no packet filter, no setting of the
kernel, and everything is taken down again. Needs root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import Requirements
from tests.doubles.programs import ROOT, eventually

INSTALL = "apt-get install docker.io iptables"
IMAGE = "finial-test:1"
PYTHON = sys.executable
# What runs a command with cgroup v2 alone; its mounts are not seen elsewhere.
_MOUNT = "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup"
UNIFIED = ["unshare", "-m", "--propagation=slave", "sh", "-c", f'{_MOUNT}; exec "$@"', "sh"]
IMPORTED_ROOT = ("bin", "sbin", "lib", "lib64")


def needs_docker(require: Requirements) -> None:
    """What `docker_engine` needs, said aloud where it is missing."""
    require.root()
    for command in ("dockerd", "docker", "containerd", "runc", "iptables", "setpriv"):
        require.command(command, INSTALL)


def python_mounts() -> list[str]:
    """The flags that give a container of `IMAGE` this machine's programs and this Python."""
    folders = dict.fromkeys(("/usr", sys.base_prefix, sys.prefix, str(ROOT)))
    inner = [each for each in folders if each == "/usr" or not each.startswith("/usr/")]
    return [f"--volume={each}:{each}:ro" for each in inner]


class Container:
    """One container of an engine."""

    def __init__(self, engine: "Engine", id_: str) -> None:
        self._engine = engine
        self.id = id_

    def inspect(self) -> Any:
        return json.loads(self._engine.run("inspect", self.id))[0]

    @property
    def pid(self) -> int:
        """Its first process, as the machine sees it."""
        pid: int = self.inspect()["State"]["Pid"]
        return pid

    @property
    def logs(self) -> str:
        done = self._engine.attempt("logs", self.id)
        return done.stdout + done.stderr

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run something inside, to its end."""
        return self._engine.attempt("exec", self.id, *command)

    def finial(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `finial` inside."""
        return self.execute("env", f"PYTHONPATH={ROOT}", PYTHON, "-m", "cli", *arguments)

    def stop(self) -> None:
        """End it at once, and remove it."""
        self._engine.attempt("kill", self.id)
        self._engine.attempt("rm", "-f", self.id)


class Engine:
    """What the client of an engine can do; `client` begins every command."""

    def __init__(self, folder: Path, socket: Path, client: Sequence[str]) -> None:
        self.folder = folder
        self.socket = socket
        self._client = tuple(client)
        self.made: list[Container] = []

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment to reach this engine."""
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def attempt(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._client, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment,
            **options,
        )

    def run(self, *arguments: str) -> str:
        """Run a command of the client and return what it said."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def mounts(self) -> list[str]:
        """The flags that give a container its programs."""
        return python_mounts()

    def image(
        self,
        name: str = IMAGE,
        labels: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Make an image that has nothing of its own, and return its ID.

        A container of it needs `python_mounts`, which `start` adds.
        """
        changes = [f"--change=ENV PATH={Path(PYTHON).parent}:/usr/bin:/usr/sbin"]
        changes += [f"--change=LABEL {k}={json.dumps(v)}" for k, v in (labels or {}).items()]
        changes += [f"--change=ENV {k}={json.dumps(v)}" for k, v in (env or {}).items()]
        archive = self.folder / "root.tar"
        if not archive.exists():
            _make_root(archive)
        return self.run("import", *changes, str(archive), name)

    def start(
        self,
        *command: str,
        image: str = IMAGE,
        labels: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> Container:
        """Start a container that sleeps, unless there is another command."""
        given = [f"--label={name}={value}" for name, value in (labels or {}).items()]
        given += [f"--env={name}={value}" for name, value in (env or {}).items()]
        network = [] if any(f.startswith("--net") for f in flags) else ["--network=none"]
        line = command or ("/usr/bin/sleep", "infinity")
        id_ = self.run(
            "run", "--detach", *network, *self.mounts(), *given, *flags, image, *line
        )  # fmt: skip
        container = Container(self, id_.splitlines()[-1])
        self.made.append(container)
        return container


class DockerEngine(Engine):
    """A `dockerd` that can be killed and started again; containers outlive it.

    With `networks` it lives in a network namespace of its own, where it may make bridges; with
    `unified` it sees cgroup v2 alone, as most machines have it.
    """

    def __init__(self, folder: Path, *, networks: bool = False, unified: bool = False) -> None:
        super().__init__(folder, folder / "docker.sock", ["docker"])
        self._prefix = UNIFIED if unified else []
        self._networks = networks
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def serve(self) -> None:
        """Start the engine and wait until it answers."""
        # What a killed engine leaves looks alive where orphans are reaped late.
        for left in ("dockerd.pid", "exec/containerd/containerd.pid", "docker.sock"):
            (self.folder / left).unlink(missing_ok=True)
        # Should the tests be killed, the engine ends too.
        command = [
            *self._prefix, "setpriv", "--pdeathsig=TERM", "dockerd",
            f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/dockerd.pid", f"--host=unix://{self.socket}",
            f"--config-file={self.folder}/daemon.json", "--live-restore", "--bridge=none",
            "--ip6tables=false", "--ip-masq=false", "--ip-forward=false",
        ]  # fmt: skip
        if self._networks:
            script = 'ip link set lo up && exec "$@"'
            command = ["unshare", "--net", "sh", "-c", script, "sh", *command]
        else:
            command += ["--iptables=false"]
        (self.folder / "daemon.json").write_text("{}")
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        eventually(self._answers, what=f"dockerd answers; see {self.folder}/dockerd.log")

    def kill(self) -> None:
        """End the engine without a word; its containers go on."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self) -> None:
        """Remove every container, and the engine."""
        if self.process.poll() is not None:
            self.serve()
        found = self.attempt("ps", "-aq").stdout.split()
        if found:
            self.attempt("rm", "-f", *found)
        self.stop()

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "dockerd.log").read_text()[-2000:]
        return self.attempt("version").returncode == 0


@contextlib.contextmanager
def docker_engine(
    require: Requirements, *, networks: bool = False, unified: bool = False
) -> Iterator[DockerEngine]:
    """Run a Docker engine for a test; its images are `IMAGE` and what the test makes."""
    needs_docker(require)
    folder = Path(tempfile.mkdtemp(prefix="finial-docker-"))
    folder.chmod(0o755)
    engine = DockerEngine(folder, networks=networks, unified=unified)
    try:
        engine.serve()
        engine.image()
        yield engine
    finally:
        engine.close()
        take_away(folder)


def _make_root(archive: Path) -> None:
    """An empty tree whose programs are those of the machine, mounted at /usr."""
    tree = Path(tempfile.mkdtemp(prefix="finial-root-", dir=archive.parent))
    for name in ("usr", "tmp", "proc", "sys", "dev", "etc"):
        (tree / name).mkdir()
    (tree / "tmp").chmod(0o1777)
    for name in IMPORTED_ROOT:
        if Path(f"/{name}").is_symlink():
            (tree / name).symlink_to(f"usr/{name}")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\nweb:x:1000:\n")
    if Path("/etc/ld.so.cache").exists():
        shutil.copy("/etc/ld.so.cache", tree / "etc/ld.so.cache")
    subprocess.run(["tar", "-C", str(tree), "-cf", str(archive), "."], check=True)
    shutil.rmtree(tree)


def take_away(folder: Path) -> None:
    """Remove an engine's folder and what is mounted in it."""
    eventually(lambda: _is_gone(folder), 10.0, f"{folder} is gone")


def _is_gone(folder: Path) -> bool:
    # Never through a mount that is still there: behind it are other people's files.
    for mounted in reversed(_mounts_below(folder)):
        subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
    if not _mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [place for line in lines if (place := line.split()[4]).startswith(f"{folder}/")]
