"""From a pod and its container to the values of selectors (BW-04)."""

from functools import lru_cache

from attestors.workload.k8s.grammar import NAME
from attestors.workload.k8s.pods import ContainerStatus, Pod, labels_of
from finial.spiffe.selector import Selector


def pod_values(pod: Pod) -> tuple[str, ...]:
    """What holds for every container of a pod."""
    metadata = pod.metadata
    values = [
        f"ns:{metadata.namespace}",
        *_named("sa", pod.spec.service_account_name),
        *_named("node-name", pod.spec.node_name),
        f"pod-uid:{metadata.uid}",
        f"pod-name:{metadata.name}",
        f"pod-image-count:{len(pod.containers)}",
        f"pod-init-image-count:{len(pod.init_containers)}",
    ]
    values += [f"pod-label:{key}:{value}" for key, value in labels_of(pod).items()]
    for owner in metadata.owner_references or ():
        values.append(f"pod-owner:{owner.kind}:{owner.name}")
        values.append(f"pod-owner-uid:{owner.kind}:{owner.uid}")
    for each in pod.containers:
        values += _images("pod-image", each)
    for each in pod.init_containers:
        values += _images("pod-init-image", each)
    return tuple(values)


def container_values(container: ContainerStatus) -> tuple[str, ...]:
    """What holds for one container."""
    return (f"container-name:{container.name}", *_images("container-image", container))


@lru_cache(maxsize=1024)
def as_selectors(values: tuple[str, ...]) -> tuple[Selector, ...]:
    """The selectors of the same container are one tuple, made once."""
    return tuple(Selector(NAME, value) for value in dict.fromkeys(values))


def _named(form: str, value: str) -> tuple[str, ...]:
    return (f"{form}:{value}",) if value else ()


def _images(form: str, container: ContainerStatus) -> tuple[str, ...]:
    # The reference that was asked for, and what the runtime found under it.
    return (*_named(form, container.image), *_named(form, container.image_id))
