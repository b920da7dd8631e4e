"""A real systemd of the test's own: process 1 of its own namespaces, with a system bus.

Nothing outside of a temporary folder and one control group is touched. Needs root.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.conftest import Requirements
from tests.doubles.programs import ROOT, eventually, short_folder

INSTALL: Final = "apt-get install systemd dbus iproute2 util-linux"
SYSTEMD: Final = "/lib/systemd/systemd"
SCRIPT: Final = Path(__file__).with_name("boot_systemd.sh")
CGROUPS: Final = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
PRIVATE: Final = "/run/systemd/private"
SYSTEM_BUS: Final = "/run/dbus/system_bus_socket"


def needs_systemd(require: Requirements) -> None:
    """What `systemd` needs, said aloud where it is missing."""
    require.root()
    for path in (SYSTEMD, "/lib/systemd/system/dbus.socket"):
        require.path(path, INSTALL)
    for command in ("dbus-daemon", "systemctl", "unshare", "nsenter", "setpriv", "ip"):
        require.command(command, INSTALL)
    if _cgroup2() is None:
        require.missing("no cgroup2 file system is mounted", "mount -t cgroup2 cgroup2 ...")


class Systemd:
    """A running systemd; `shared` is /mnt inside, `pid` is its process 1 as seen from here."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.shared = folder / "shared"
        self.pid = pid

    def inside(self, path: str) -> Path:
        """Where a path of its own is found from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def command(self, *line: str, uid: int = 0) -> list[str]:
        """How something is run inside; with all namespaces but that of users."""
        entering = ["nsenter", f"--target={self.pid}", "-m", "-u", "-i", "-n", "-p", "-C"]
        if uid:
            entering += [f"--setuid={uid}", f"--setgid={uid}"]
        return [*entering, *line]

    def run(self, *line: str, uid: int = 0, env: Mapping[str, str] | None = None) -> str:
        """Run something inside to its end and return what it said."""
        done = self.attempt(*line, uid=uid, env=env)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(line)}: {done.stderr or done.stdout}")
        return done.stdout

    def attempt(
        self, *line: str, uid: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*line, uid=uid),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **(env or {})},
        )

    def unit(self, name: str, text: str, folder: str = "/etc/systemd/system") -> None:
        """Write a unit file and have it read."""
        path = self.inside(f"{folder}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.run("systemctl", "daemon-reload")

    def start(self, name: str, *command: str, **settings: str) -> None:
        """Make a service of a command and start it."""
        values = {"StandardError": f"append:/mnt/{name}.err", **settings}
        lines = "".join(f"{key}={value}\n" for key, value in values.items())
        self.unit(f"{name}.service", f"[Service]\nExecStart={' '.join(command)}\n{lines}")
        self.run("systemctl", "start", f"{name}.service")

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def main_pid(self, unit: str) -> int:
        """The main process of a service, as it is seen inside."""
        return int(self.show(unit, "MainPID"))


@contextmanager
def systemd(require: Requirements, more: Mapping[str, str] | None = None) -> Iterator[Systemd]:
    """Boot one, and take everything down again; `more` are folders and what they are inside."""
    needs_systemd(require)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        group = stack.enter_context(_control_group(folder.name))
        log = stack.enter_context((folder / "console.log").open("wb"))
        # The shell joins the group before anything is made in it.
        joining = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        pairs = [f"{source}={target}" for source, target in (_places() | (more or {})).items()]
        namespaces = ("--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup")
        process = subprocess.Popen(
            ["sh", "-c", joining, "sh", "unshare", *namespaces, "--fork", "--kill-child",
             "--propagation=private", "sh", str(SCRIPT), str(folder), *pairs],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        stack.callback(_end, process)

        def booted() -> Systemd | None:
            if process.poll() is not None:
                raise AssertionError((folder / "console.log").read_text())
            made = Systemd(folder, _only_child(process.pid) or 0)
            there = made.pid and made.inside(SYSTEM_BUS).exists() and made.inside(PRIVATE).exists()
            return made if there else None

        yield eventually(booted, what="systemd boots")


def _places() -> dict[str, str]:
    """Where this program and its Python are, unless every user finds them in /usr anyway."""
    found = dict.fromkeys((str(ROOT), sys.prefix, sys.base_prefix))
    return {place: place for place in found if not place.startswith("/usr")}


@contextmanager
def _control_group(name: str) -> Iterator[Path]:
    above = _cgroup2()
    assert above is not None
    group = above / name
    group.mkdir()
    try:
        yield group
    finally:
        # Processes that were killed leave it a little later.
        eventually(lambda: _is_removed(group), what=f"{group} is left by its processes")


def _is_removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    return not group.exists()


def _cgroup2() -> Path | None:
    return next((path for path in CGROUPS if (path / "cgroup.procs").exists()), None)


def _only_child(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    # Its child, process 1 of the namespace, goes with it, and with that one everything inside.
    process.kill()
    process.wait()
