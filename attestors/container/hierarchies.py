"""Where the hierarchies of control groups are mounted here, and who owns the groups in them."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted hierarchy: `names` are its controllers or name, `point` is where its root is."""

    names: frozenset[str]
    point: str


def mounts_here() -> tuple[Mount, ...]:
    """Return the hierarchies that are mounted with their root (proc_pid_mountinfo(5)).

    Raises: OSError.
    """
    with open("/proc/self/mountinfo", "rb") as file:
        lines = file.read().decode("utf-8", "surrogateescape").split("\n")
    return tuple(filter(None, map(_mount, filter(None, lines))))


def point_of(mounts: Sequence[Mount], hierarchy: str) -> str | None:
    """Return where a hierarchy is mounted, if it is."""
    names = set(hierarchy.split(","))
    return next((each.point for each in mounts if names <= each.names), None)


def first_given_away(point: str, path: str) -> tuple[str, int] | None:
    """Return the first group on a path that others than root may write to, and its owner.

    Whatever lies below it they may have named. Raises: OSError.
    """
    seen = ""
    for segment in filter(None, path.split("/")):
        seen = f"{seen}/{segment}"
        found = os.stat(f"{point}{seen}", follow_symlinks=False)
        if found.st_uid or found.st_mode & _OTHERS_WRITE:
            return seen, found.st_uid
    return None


def _mount(line: str) -> Mount | None:
    before, _, after = line.partition(" - ")
    root, point = before.split(" ")[3:5]
    kind, _, options = after.split(" ")[:3]
    if kind not in ("cgroup", "cgroup2") or root != "/":
        return None
    return Mount(frozenset(("",) if kind == "cgroup2" else options.split(",")), point)
