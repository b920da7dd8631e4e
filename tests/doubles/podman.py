"""A real Podman of the test's own: root's, or that of a user who exists only here. Needs root."""

import contextlib
import itertools
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import Requirements
from tests.doubles.engines import Container, Engine, take_away
from tests.doubles.programs import eventually

INSTALL = "apt-get install podman uidmap slirp4netns fuse-overlayfs crun runc"
_COUNT = itertools.count()
# Of nobody: far from what is given to people, and from what they delegate by default.
_FIRST_UID = 47_110
_SUBORDINATE = 5_000_000

# Some machines let nobody raise a limit, and runc takes every layout of cgroups.
_CONF = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def needs_podman(require: Requirements) -> None:
    """What both kinds need, said aloud where it is missing."""
    require.root()
    for command in ("podman", "runc", "newuidmap", "setpriv", "conmon"):
        require.command(command, INSTALL)


class PodmanEngine(Engine):
    """An engine that serves Docker's API on `socket`; its containers need no daemon."""

    uid = 0

    def __init__(self, folder: Path, client: list[str]) -> None:
        super().__init__(folder, folder / "podman.sock", client)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf"}

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def serve(self) -> None:
        """Serve the API until `kill`."""
        self.socket.unlink(missing_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._client, "system", "service", "--time=0", f"unix://{self.socket}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        eventually(self.socket.exists, what=f"podman serves; see {self.folder}/service.log")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        for container in self.made:
            container.stop()
        if self._process is not None:
            self.kill()


class RootlessPodman(PodmanEngine):
    """The engine of a user; `slice` is the cgroup that was delegated to them, where there is one.

    Without one their containers have no cgroup of their own, as on machines with cgroup v1.
    """

    def __init__(self, folder: Path, *, delegated: bool) -> None:
        number = next(_COUNT)
        self.uid = _FIRST_UID + (os.getpid() * 8 + number) % 10_000
        self.home = folder / "home"
        self.slice = f"finial-{os.getpid()}-{number}" if delegated else ""
        self._write_accounts(folder)
        super().__init__(folder, ["unshare", "-m", "--propagation=private", self._script(folder)])
        self.socket = self.home / "podman.sock"

    def close(self) -> None:
        super().close()
        # Podman leaves a process that holds its namespaces.
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if process.stat().st_uid == self.uid:
                    os.kill(int(process.name), 9)
        self._remove_cgroup()

    def start(self, *command: str, **options: Any) -> Container:
        if self.slice:
            options["flags"] = [*options.get("flags", ()), "--pids-limit=0"]
        return super().start(*command, **options)

    def mounts(self) -> list[str]:
        # The rest is below folders that other users may not enter.
        return ["--volume=/usr:/usr:ro"]

    def _write_accounts(self, folder: Path) -> None:
        (folder / "etc").mkdir()
        for name, line in (("passwd", "::/:/bin/sh"), ("group", "")):
            known = Path(f"/etc/{name}").read_text()
            entry = f"finial:x:{self.uid}:" + (f"{self.uid}{line}" if line else "")
            (folder / "etc" / name).write_text(f"{known}{entry}\n")
        for name in ("subuid", "subgid"):
            (folder / "etc" / name).write_text(f"finial:{_SUBORDINATE}:65536\n")
        (self.home / "run").mkdir(parents=True)
        (self.home / "run").chmod(0o700)
        for each in (self.home, self.home / "run"):
            os.chown(each, self.uid, self.uid)

    def _script(self, folder: Path) -> str:
        """What begins each command: the user's accounts and cgroups, seen by it alone."""
        etc = f"mount -t overlay overlay -o ro,lowerdir={folder}/etc:/etc /etc"
        lines = ["#!/bin/sh", "set -e", etc]
        if self.slice:
            own = f"/sys/fs/cgroup/{self.slice}"
            lines += [
                "umount -R /sys/fs/cgroup",
                "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
                f"mkdir -p {own}/own",
                f"chown {self.uid}:{self.uid} {own} {own}/* {own}/cgroup.procs {own}/own/*",
                f"echo $$ > {own}/own/cgroup.procs",
            ]
        kept = f"PATH={shlex.quote(os.environ['PATH'])} HOME={self.home}"
        lines += [
            f"cd {self.home}",
            f"exec setpriv --reuid={self.uid} --regid={self.uid} --clear-groups env -i {kept} "
            f"XDG_RUNTIME_DIR={self.home}/run CONTAINERS_CONF={folder}/containers.conf "
            'podman --storage-driver=vfs "$@"',
        ]
        script = folder / "as-user"
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o755)
        return str(script)

    def _remove_cgroup(self) -> None:
        if not self.slice:
            return
        command = (
            "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "
            f"find /sys/fs/cgroup/{self.slice} -depth -type d -exec rmdir {{}} +"
        )
        subprocess.run(["unshare", "-m", "sh", "-c", command], check=False, capture_output=True)


@contextlib.contextmanager
def podman(require: Requirements) -> Iterator[PodmanEngine]:
    """Run root's Podman for a test."""
    needs_podman(require)
    with _folder() as folder:
        places = [f"--root={folder}/root", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp"]
        with _running(PodmanEngine(folder, ["podman", *places, "--storage-driver=vfs"])) as engine:
            yield engine


@contextlib.contextmanager
def rootless_podman(require: Requirements, *, delegated: bool) -> Iterator[RootlessPodman]:
    """Run a user's Podman for a test, with a cgroup delegated to the user or without."""
    needs_podman(require)
    with _folder() as folder, _running(RootlessPodman(folder, delegated=delegated)) as engine:
        assert isinstance(engine, RootlessPodman)
        yield engine


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="finial-podman-"))
    folder.chmod(0o755)
    (folder / "containers.conf").write_text(_CONF)
    try:
        yield folder
    finally:
        take_away(folder)


@contextlib.contextmanager
def _running(engine: PodmanEngine) -> Iterator[PodmanEngine]:
    try:
        engine.image()
        engine.serve()
        yield engine
    finally:
        engine.close()
