"""Whether a cgroup lies where a kubelet makes it, or where somebody else may have.

A kubelet makes the cgroups of pods below `kubepods`, at the top of the tree or below the container
or slice that the whole node lives in. Below a user's slice, and below a systemd service that was
given its subtree (`Delegate=`), people make cgroups with any name, also that of a victim's pod.
"""

from attestors.container import cgroup
from attestors.container.locate import Container, Contradiction, locate


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


def fault_of(container: Container) -> str | None:
    """Say why a container is none of the kubelet's, or nothing."""
    if not container.pod_uid:
        return f"the cgroup of container {container.id} names no pod"
    outside = [each for each in container.root.split("/") if each][:-1]
    if container.user is not None or "user.slice" in outside:
        return f"the cgroup {container.root} is a user's own, and no kubelet's"
    services = [each for each in outside if each.endswith(".service")]
    if services:
        return f"the cgroup {container.root} belongs to {services[0]}, and to no kubelet"
    return None
