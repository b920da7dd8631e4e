"""The control group of a process, as far as nobody but root can have named it.

The kernel says where a process is. Who named the groups on the way is seen by who owns them: where
root gives a group away (delegates it, as to a user's service manager or a rootless engine), its new
owner makes whatever lies below. So a path counts down to the first group that others may write to,
that one included: root made it, and only root or its owner put the process there.

A process has a place in version 2 of the interface and in each hierarchy of version 1. The first of
these that is not the root counts: version 2, systemd's own hierarchy, then the one path on which
all others agree.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attestors.container import cgroup
from attestors.container.cgroup import Malformed, Membership
from attestors.container.hierarchies import Mount, first_given_away, mounts_here, point_of
from attestors.workload.unix.programs import Found

__all__ = ["ControlGroups", "Mount", "mounts_here"]

_OF_SYSTEMD: Final = ("", "name=systemd")


class _Unproven(Exception):
    """There is no group that can be believed."""


class ControlGroups:
    """Finds the group of a process; `mounts` says where the hierarchies are."""

    def __init__(self, mounts: Callable[[], Sequence[Mount]]) -> None:
        self._mounts = mounts

    def find(self, proc: str) -> Found:
        """Return the selector's value, or why there is none."""
        try:
            path, owner = self._provable(proc)
        except (_Unproven, Malformed) as error:
            return Found(remarks=(f"no unix:cgroup: {error}",))
        except OSError as error:
            return Found(remarks=(f"no unix:cgroup: it cannot be looked at: {error.strerror}",))
        remark = f"unix:cgroup ends at {path}, which belongs to uid {owner}" if owner else ""
        return Found((f"cgroup:{path}",), (remark,) if remark else ())

    def _provable(self, proc: str) -> tuple[str, int]:
        chosen = _chosen(cgroup.parse(cgroup.read(proc)))
        if chosen.path.startswith("/.."):
            raise _Unproven("the process is outside of the agent's own cgroup namespace")
        path, owner = _as_far_as_root(self._mounts(), chosen)
        if not path.isprintable():
            raise _Unproven(f"the path {path!a} cannot be written as a selector")
        return path, owner


def _chosen(memberships: Sequence[Membership]) -> Membership:
    placed = [each for each in memberships if each.path != "/"]
    first = [each for name in _OF_SYSTEMD for each in placed if each.hierarchy == name]
    if not placed:
        raise _Unproven("the process is in the root group")
    if not first and len({each.path for each in placed}) > 1:
        raise _Unproven("the process is in different groups, and none is systemd's")
    return (first or placed)[0]


def _as_far_as_root(mounts: Sequence[Mount], chosen: Membership) -> tuple[str, int]:
    """Return the path down to the first group that others may write to, and who owns that."""
    point = point_of(mounts, chosen.hierarchy)
    if point is None:
        raise _Unproven("no cgroup file system is mounted by which to see who named it")
    return first_given_away(point, chosen.path) or (chosen.path, 0)
