"""A unit as the service manager describes it, and where the kernel says that a process is.

Control groups are named by whoever may make them. Down to a unit's own group that is the system's
service manager. Below `user@<uid>.service` it is the user, who can give any name to anything: what
is read there is said of that user alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from attestors.workload.systemd.grammar import UNIT

_NAME: Final = re.compile(UNIT)
_USER_MANAGER: Final = re.compile(r"user@(\d{1,10})\.service")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit; `invocation_id` is in hex, and what it does not have is empty."""

    id: str
    fragment_path: str = ""
    slice: str = ""
    invocation_id: str = ""
    control_group: str = ""

    @property
    def user(self) -> int | None:
        """The user whose service manager this unit is, if it is one."""
        found = _USER_MANAGER.fullmatch(self.id)
        return int(found[1]) if found else None


class NoUnit(Exception):
    """The manager knows of no unit for the process."""


class ManagerAway(Exception):
    """The manager cannot be asked, or is not the one of our own PID namespace."""


class Malformed(Exception):
    """What should have come from the kernel did not."""


def is_name(text: str) -> bool:
    """Whether a unit that has processes can be called that (slices have none of their own)."""
    return _NAME.fullmatch(text) is not None


def manager_paths(cgroup: str) -> tuple[str, ...]:
    """Return a process's paths in the manager's hierarchies, from /proc/<pid>/cgroup.

    Raises: Malformed.
    """
    # Version 2 of the kernel's interface, alone or beside version 1; or the manager's tree there.
    found = []
    for line in filter(None, cgroup.split("\n")):
        parts = line.split(":", 2)
        if len(parts) != 3:
            raise Malformed("the process's list of control groups is malformed")
        number, controllers, path = parts
        if (number == "0" and not controllers) or controllers == "name=systemd":
            found.append(path)
    return tuple(found)


def can_be_compared(paths: Sequence[str]) -> bool:
    """Whether the paths begin at the root: in a cgroup namespace of our own some begin above it."""
    return bool(paths) and not any(path.startswith("/..") for path in paths)


def parts_below(paths: Sequence[str], group: str) -> Iterator[tuple[str, ...]]:
    """Return for each path that lies in a control group its names below that group."""
    for path in paths:
        if path == group:
            yield ()
        elif group and path.startswith(f"{group.rstrip('/')}/"):
            yield tuple(path[len(group.rstrip("/")) + 1 :].split("/"))


def user_unit(below: Sequence[str]) -> str:
    """Return the unit of a user's service manager, from the names below the manager's own group.

    Slices come first, then the unit; anything else is no unit. Empty if there is none.
    """
    for part in below:
        name = part.removeprefix("_")
        if not name.endswith(".slice"):
            return name if is_name(name) else ""
    return ""
