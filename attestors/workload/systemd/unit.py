"""A unit as the service manager describes it, and where the kernel says that a process is.

Control groups are named by whoever may make them. Down to a unit's own group that is the system's
service manager. Below `user@<uid>.service` it is the user, who can give any name to anything: what
is read there is said of that user alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from attestors.container.cgroup import Membership, is_within
from attestors.workload.systemd.grammar import UNIT

_NAME: Final = re.compile(UNIT)
_USER_MANAGER: Final = re.compile(r"user@(\d{1,10})\.service")
_OF_MANAGER: Final = ("", "name=systemd")


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


def is_name(text: str) -> bool:
    """Whether a unit that has processes can be called that (slices have none of their own)."""
    return _NAME.fullmatch(text) is not None


def manager_paths(memberships: Iterable[Membership]) -> tuple[str, ...]:
    """Return a process's paths in the manager's hierarchies: v2, and its own one of v1."""
    return tuple(each.path for each in memberships if each.hierarchy in _OF_MANAGER)


def can_be_compared(paths: Sequence[str]) -> bool:
    """Whether the paths begin at the root: in a cgroup namespace of our own some begin above it."""
    return bool(paths) and not any(path.startswith("/..") for path in paths)


def parts_below(paths: Sequence[str], group: str) -> Iterator[tuple[str, ...]]:
    """Return for each path that lies in a control group its names below that group."""
    for path in paths:
        if group and is_within(path, group):
            yield tuple(filter(None, path[len(group) :].split("/")))


def user_unit(below: Sequence[str]) -> str:
    """Return the unit of a user's service manager, from the names below the manager's own group.

    Slices come first, then the unit; anything else is no unit. Empty if there is none.
    """
    for part in below:
        name = part.removeprefix("_")
        if not name.endswith(".slice"):
            return name if is_name(name) else ""
    return ""
