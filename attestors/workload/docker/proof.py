"""Whether a process really is in the container that its cgroups name.

In a subtree that was delegated to them people name cgroups as they like, also after somebody else's
container. So an engine is asked for the container's first process, and the kernel for its cgroups:
up to the container's name they are where the engine put it, and a process of the container is
there or below, in every hierarchy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from attestors.container import cgroup, hierarchies, names, namespaces
from attestors.container.cgroup import Membership


class NotYet(Exception):
    """The container is only being started or stopped; asking again helps."""


@dataclass(frozen=True, slots=True)
class Disproved:
    """The process is not in the container; `why` is a sentence."""

    why: str


def judge(
    memberships: Sequence[Membership], first_pid: int, id_: str, proc_root: str
) -> Disproved | None:
    """Compare a process's cgroups with those of the container's first process.

    Raises: NotYet, cgroup.Malformed.
    """
    if first_pid <= 0:
        raise NotYet(f"the engine says that container {id_[:12]} does not run")
    try:
        first = cgroup.parse(cgroup.read(f"{proc_root}/{first_pid}"))
    except OSError:
        raise _gone(first_pid, id_) from None
    roots = _roots(first, id_)
    if not roots:
        return Disproved(
            f"the first process of container {id_[:12]}, {first_pid}, is in no cgroup of that name"
        )
    places = cgroup.paths(memberships)
    for hierarchy, root in roots.items():
        if not cgroup.is_within(places.get(hierarchy, ""), root):
            place = places.get(hierarchy, "nowhere")[:200]
            return Disproved(
                f"container {id_[:12]} is in the cgroup {root}, and the process, in {place}, is not"
            )
    return None


def judge_pids(proc: str, first_pid: int, id_: str, proc_root: str) -> Disproved | None:
    """Make sure that a process is in the container's PID namespace, or in one made there.

    Whoever was given the machine's cgroups to write to moves into any of them, and not into a PID
    namespace. An agent that may not look at namespaces goes without. Raises: NotYet, OSError.
    """
    try:
        inside = namespaces.has_pid_within(proc, f"{proc_root}/{first_pid}")
    except PermissionError:
        return None
    except FileNotFoundError:
        raise _gone(first_pid, id_) from None
    if inside:
        return None
    return Disproved(f"the process is not in the PID namespace of container {id_[:12]}")


def judge_namespaces(proc: str, first_pid: int, id_: str, proc_root: str) -> Disproved | None:
    """Compare a process's namespaces with those of the container's first process.

    For containers without a cgroup of their own, of which the process has not our own mounts. Who
    joins a mount namespace has root's rights where it was made. Raises: NotYet, OSError.
    """
    if first_pid <= 0:
        raise NotYet(f"the engine says that container {id_[:12]} does not run")
    first = f"{proc_root}/{first_pid}"
    try:
        if all(namespaces.same(proc, first, kind) for kind in ("mnt", "pid")):
            return None
    except FileNotFoundError:
        raise _gone(first_pid, id_) from None
    return Disproved(f"the process does not share the namespaces of container {id_[:12]}")


def _gone(first_pid: int, id_: str) -> NotYet:
    return NotYet(f"the first process of container {id_[:12]}, {first_pid}, is not there")


def _roots(first: Sequence[Membership], id_: str) -> dict[str, str]:
    """Where the engine put the container: the outermost cgroup of its name in each hierarchy."""
    found = {}
    for each in first:
        root = next((c.root for c in names.chain(each.path) if c.id == id_), None)
        if root is not None:
            found[each.hierarchy] = root
    return found


def judge_roots(memberships: Sequence[Membership], id_: str) -> Disproved | None:
    """Make sure that nobody but root can have named a container's cgroup, as far as we can see.

    From a cgroup namespace of our own what lies beside it cannot be seen.
    """
    try:
        mounted = hierarchies.mounts_here()
        for hierarchy, root in _roots(memberships, id_).items():
            point = hierarchies.point_of(mounted, hierarchy)
            parent = root.rpartition("/")[0]
            if point is not None and ".." not in parent.split("/"):
                given = hierarchies.first_given_away(point, parent)
                if given:
                    return Disproved(
                        f"the cgroup {root}, named after container {id_[:12]}, is in {given[0]}, "
                        f"which belongs to uid {given[1]}"
                    )
    except FileNotFoundError:
        # Where others' cgroups are mounted, or the process has just left.
        return None
    return None
