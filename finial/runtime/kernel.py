"""What this process's kernel can do for whoever has to know who calls."""

import os
import resource
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from finial.runtime.peer import SO_PEERPIDFD

_SYS_PTRACE: Final = 1 << 19
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
"""The kernel gives the machine's first PID namespace this number (PROC_PID_INIT_INO)."""
_MEMBERS: Final = 4


@dataclass(frozen=True, slots=True)
class Kernel:
    """Facts about the kernel, as this process meets it.

    `cgroups` is `v2`, `v1`, `hybrid` or `none`. `hides_processes` says that /proc was mounted so
    that we do not see those of other users; `may_look` that we have CAP_SYS_PTRACE, by which we
    see them anyway, and their programs too. `sees_all` says that we live in the machine's first
    PID namespace: from within another one, callers outside have no PID.
    """

    release: str
    peer_pidfd: bool
    cgroups: str
    user_namespaces: bool
    hides_processes: bool
    may_look: bool
    sees_all: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on the disk of a folder; `files` is how many more may be made, None if any."""

    free: int
    total: int
    files: int | None


def probe_kernel(proc: Path = Path("/proc")) -> Kernel:
    """Find out what the kernel can do; whatever cannot be found out is taken for missing."""
    return Kernel(
        release=os.uname().release,
        peer_pidfd=_has_peer_pidfd(),
        cgroups=kind_of_cgroups(_text(proc / "self/cgroup")),
        user_namespaces=_text(proc / "sys/user/max_user_namespaces").strip() not in ("", "0"),
        hides_processes=hides_processes(_text(proc / "self/mountinfo")),
        may_look=may_look(_text(proc / "self/status")),
        sees_all=_link(proc / "self/ns/pid") == _FIRST_PID_NAMESPACE,
    )


def kind_of_cgroups(listed: str) -> str:
    """Tell from /proc/self/cgroup which cgroups there are (cgroups(7))."""
    numbers = {line.partition(":")[0] for line in listed.splitlines() if line}
    if not numbers:
        return "none"
    if numbers == {"0"}:
        return "v2"
    return "hybrid" if "0" in numbers else "v1"


def hides_processes(mounted: str) -> bool:
    """Tell from /proc/self/mountinfo whether /proc hides others' processes (proc(5), hidepid)."""
    for line in mounted.splitlines():
        place, _, source = line.partition(" - ")
        if place.split()[_MEMBERS : _MEMBERS + 1] == ["/proc"]:
            options = source.split()[-1].split(",")
            hidden = [each for each in options if each.startswith("hidepid=")]
            return any(each not in ("hidepid=0", "hidepid=off") for each in hidden)
    return False


def may_look(status: str) -> bool:
    """Tell from /proc/self/status whether we have CAP_SYS_PTRACE (capabilities(7))."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) & _SYS_PTRACE)
    return False


def room_of(path: Path) -> Room:
    """Ask how much room the disk of a folder or file has for us. Raises: OSError."""
    disk = os.statvfs(path)
    total = shutil.disk_usage(path).total
    return Room(disk.f_bavail * disk.f_frsize, total, disk.f_favail if disk.f_files else None)


def rooms_of(places: Iterable[Path]) -> list[tuple[Path, Room]]:
    """Ask for the room of several folders, once where they lie on one disk.

    One that does not exist yet is looked for above. Raises: OSError.
    """
    found: dict[int, tuple[Path, Room]] = {}
    for place in places:
        there = next(each for each in (place, *place.absolute().parents) if each.exists())
        found.setdefault(there.stat().st_dev, (there, room_of(there)))
    return list(found.values())


def open_descriptors() -> tuple[int, int]:
    """Count our open descriptors; and how many may be."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return len(os.listdir("/proc/self/fd")), soft


def _has_peer_pidfd() -> bool:
    here, there = socket.socketpair()
    with here, there:
        try:
            os.close(here.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))
        except OSError:
            return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
