"""From a process to the container that its cgroups name (BW-02).

1. Every line of /proc/<pid>/cgroup is read: v1, v2, both at once. A line with a pod beats lines
   without, because runtimes leave some hierarchies to the unit that they run in.
2. Lines that name different containers or pods: a contradiction, never a choice.
3. A path may name several containers, one inside the other. `id` is the innermost; `outer` are
   those around it. Which of them an engine answers for, and whether the process is really in it, is
   for the engine to say: the innermost name may be the invention of whoever owns a delegated
   subtree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from attestors.container import cgroup, names
from attestors.container.cgroup import Membership
from attestors.container.names import Named


class Contradiction(Exception):
    """A process's cgroups name two containers, or two pods."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the cgroups of a process name.

    `id` has 64 hex digits; `pod_uid` is empty outside of pods; `podman` if the name is one that
    Podman gives. `path` is the process's cgroup in `hierarchy` (empty for v2), `root` the part of
    it that ends with the container's name. `user` is the uid of the user slice that it all lies in.
    """

    id: str
    pod_uid: str
    podman: bool
    hierarchy: str
    path: str
    root: str
    user: int | None = None
    outer: tuple[Named, ...] = ()

    @property
    def chain(self) -> tuple[str, ...]:
        """All IDs that the path names, the outermost first."""
        return (*(each.id for each in self.outer), self.id)


@dataclass(frozen=True, slots=True)
class NoContainer:
    """The process's cgroups name no container."""

    why: str


def locate(proc: str) -> Container | NoContainer:
    """Look at a process's folder, such as `/proc/123`.

    Raises: Contradiction; cgroup.Malformed; OSError, also if the process has ended.
    """
    return judge(cgroup.parse(cgroup.read(proc)))


def judge(memberships: Sequence[Membership]) -> Container | NoContainer:
    """Find the one container that all lines agree on. Raises: Contradiction."""
    named = [found for each in memberships if (found := _container(each))]
    if not named:
        where = ", ".join(sorted({each.path for each in memberships})) or "nowhere"
        return NoContainer(f"no cgroup of the process names a container: it is in {where[:400]}")
    in_pods = [each for each in named if each.pod_uid]
    candidates = in_pods or named
    if len({(each.chain, each.pod_uid) for each in candidates}) > 1:
        told = sorted({_told(each) for each in candidates})
        raise Contradiction(f"the cgroups of the process contradict each other: {'; '.join(told)}")
    # v2 is a single hierarchy; where it names the container, it is the one to compare.
    return next((each for each in candidates if not each.hierarchy), candidates[0])


def _container(membership: Membership) -> Container | None:
    found = names.chain(membership.path)
    if not found:
        return None
    *outer, last = found
    return Container(
        last.id,
        last.pod_uid,
        last.podman,
        membership.hierarchy,
        membership.path,
        last.root,
        names.user_of_slice(membership.segments),
        tuple(outer),
    )


def _told(container: Container) -> str:
    pod = f" in pod {container.pod_uid}" if container.pod_uid else ""
    return f"container {' > '.join(container.chain)}{pod}"
