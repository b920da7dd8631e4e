"""What the kubelet's list says of the container that a process's cgroup names; pure."""

from collections.abc import Container as Collection

from attestors.container.locate import Container
from attestors.contract import Attested, Failed, Finding, NotApplicable
from attestors.workload.k8s import selectors
from attestors.workload.k8s.pods import Found, Pods
from finial.spiffe.refusal import Kind

Chain = tuple[str, ...]


def judge(
    container: Container, pods: Pods, nodes: Collection[Chain], *, by_container: bool
) -> Finding | None:
    """Return what holds, or nothing if the container may still come into the list.

    `nodes` has the containers that the node itself may be in, seen from here, the outermost first.
    Without `by_container` a pod is enough, and its containers are not told apart.
    """
    contradiction = _inside_another(container, pods, nodes) or _opened_later(container, pods)
    if contradiction:
        return contradiction
    match pods.with_container(container.id):
        case ():
            return None if by_container else _pod_alone(container, pods)
        case (found,):
            return _one(container, found, by_container=by_container)
        case several:
            names = " and ".join(sorted(each.pod.name for each in several))
            return Failed(Kind.DENIED, f"the container {container.id} is in the pods {names}")


def _inside_another(container: Container, pods: Pods, nodes: Collection[Chain]) -> Finding | None:
    around = tuple(each.id for each in container.outer)
    if around in nodes:
        return None
    where = f"inside container {around[-1]}" if around else "outside of the node's container"
    if pods.with_container(container.id) or pods.with_uid(container.pod_uid):
        return Failed(Kind.DENIED, f"somebody made a cgroup named after a pod {where}")
    return NotApplicable(f"the container {container.id} is {where}, and none of the kubelet's")


def _opened_later(container: Container, pods: Pods) -> Finding | None:
    opened = pods.ephemeral(container.id)
    if opened is None:
        return None
    return NotApplicable(
        f"the container {container.id} was opened in pod {opened.name} for debugging"
    )


def _one(container: Container, found: Found, *, by_container: bool) -> Finding:
    uid = found.pod.metadata.uid
    if uid != container.pod_uid:
        return Failed(
            Kind.DENIED,
            f"the cgroup of container {container.id} is that of pod {container.pod_uid}, and the "
            f"kubelet has it in pod {uid}",
        )
    values = selectors.pod_values(found.pod)
    if by_container:
        values += selectors.container_values(found.container)
    facts = (
        ("container", container.id),
        ("pod", found.pod.name),
        ("container name", found.container.name),
    )
    return Attested(selectors.as_selectors(values), facts=facts)


def _pod_alone(container: Container, pods: Pods) -> Finding | None:
    pod = pods.with_uid(container.pod_uid)
    if pod is None or pod.is_being_opened:
        return None
    facts = (("container", container.id), ("pod", pod.name))
    return Attested(selectors.as_selectors(selectors.pod_values(pod)), facts=facts)
