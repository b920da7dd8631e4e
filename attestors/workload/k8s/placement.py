"""Whether a cgroup lies where a kubelet makes it, or where somebody else may have.

A kubelet makes the cgroups of pods below `kubepods`, at the top of the tree or below the container
or slice that the whole node lives in. Below a user's slice, below a systemd service that was given
its subtree (`Delegate=`), and below any cgroup that is not root's, people make cgroups with any
name, also that of a victim's pod. Whose they are is seen where the agent sees the whole tree; from
a cgroup namespace of its own, as in a pod, only what a kubelet itself would call them counts.
"""

import re
from collections.abc import Sequence
from typing import Final

from attestors.container import cgroup, hierarchies
from attestors.container.hierarchies import Mount
from attestors.container.locate import Container, Contradiction, locate

# kubepods/burstable/pod<uid>, kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod<uid>.slice
_KUBELETS: Final = re.compile(
    r"kubelet(?:\.slice)?|(?:[a-z0-9_]+-)*kubepods(?:-burstable|-besteffort)?(?:\.slice)?"
    r"|burstable|besteffort|(?:[a-z0-9_]+-)*pod[0-9a-f_-]{32,36}(?:\.slice)?"
)


def nodes_of(proc: str) -> frozenset[tuple[str, ...]]:
    """The containers that the node may be in, for an agent whose folder this is.

    The node is a machine, or a container that the agent is in too (as with kind): around the
    agent's own container, or around the agent itself. More cannot be seen from here.
    """
    try:
        own = locate(proc)
    except (Contradiction, cgroup.Malformed, OSError):
        return frozenset([()])
    if isinstance(own, Container):
        return frozenset([tuple(each.id for each in own.outer), own.chain])
    return frozenset([()])


def fault_of(container: Container, mounts: Sequence[Mount] = ()) -> str | None:
    """Say why a container is none of the kubelet's, or nothing.

    `mounts` are the hierarchies whose owners can be seen from here.
    """
    if not container.pod_uid:
        return f"the cgroup of container {container.id} names no pod"
    outside = [each for each in container.root.split("/") if each][:-1]
    if container.user is not None or "user.slice" in outside:
        return f"the cgroup {container.root} is a user's own, and no kubelet's"
    services = [each for each in outside if each.endswith(".service")]
    if services:
        return f"the cgroup {container.root} belongs to {services[0]}, and to no kubelet"
    if ".." in outside:
        return _beside(container, outside)
    return _given_away(container, outside, mounts)


def _beside(container: Container, outside: Sequence[str]) -> str | None:
    """Judge by the names alone: above what a stranger owns stands what a stranger's is called."""
    strange = [each for each in outside if each != ".." and not _KUBELETS.fullmatch(each)]
    if not strange:
        return None
    return (
        f"the cgroup {container.root} is in {strange[0]}, which no kubelet makes, and from the "
        "agent's own cgroup namespace nobody sees whose that is"
    )


def _given_away(
    container: Container, outside: Sequence[str], mounts: Sequence[Mount]
) -> str | None:
    point = hierarchies.point_of(mounts, container.hierarchy)
    if point is None:
        return None
    try:
        given = hierarchies.first_given_away(point, "/".join(outside))
    except FileNotFoundError:
        return None
    if given is None:
        return None
    return f"the cgroup {container.root} is in {given[0]}, which others than root may write to"
