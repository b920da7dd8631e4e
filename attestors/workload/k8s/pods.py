"""The kubelet's list of pods, as much of it as is used.

Pods of Kubernetes hold hundreds of members; whatever else they hold is not looked at. Members that
are used have to have the type that Kubernetes gives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

MAX_BYTES: Final = 32 * 1024 * 1024


class Malformed(Exception):
    """What was read is no list of pods."""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A member of the document."""


class Owner(_Part, frozen=True):
    """Who made the pod, as the pod says."""

    kind: str
    name: str
    uid: str


class Metadata(_Part, frozen=True):
    """Who the pod is."""

    name: str
    namespace: str
    uid: str
    labels: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None


class Opened(_Part, frozen=True):
    """A container that somebody opens in the pod for debugging."""

    name: str


class Spec(_Part, frozen=True):
    """What the pod was made to be."""

    node_name: str = ""
    service_account_name: str = ""
    ephemeral_containers: tuple[Opened, ...] | None = None


class ContainerStatus(_Part, frozen=True):
    """A container as it runs; `container_id` is `<runtime>://<id>`, empty before it starts."""

    name: str
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")

    @property
    def id(self) -> str:
        """The ID alone."""
        return self.container_id.rpartition("://")[2]


class Status(_Part, frozen=True):
    """What the pod is."""

    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    ephemeral_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(_Part, frozen=True):
    """One pod of the node."""

    metadata: Metadata
    spec: Spec
    status: Status

    @property
    def containers(self) -> tuple[ContainerStatus, ...]:
        """The containers that the pod is for, without those that prepare it."""
        return self.status.container_statuses or ()

    @property
    def init_containers(self) -> tuple[ContainerStatus, ...]:
        """The containers that prepare the pod."""
        return self.status.init_container_statuses or ()

    @property
    def is_being_opened(self) -> bool:
        """Whether a container for debugging has no ID yet: an unknown one may be that."""
        opened = {each.name for each in self.spec.ephemeral_containers or ()}
        listed = self.status.ephemeral_container_statuses or ()
        return not opened <= {each.name for each in listed if each.id}

    @property
    def name(self) -> str:
        """Namespace and name, for sentences."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


class _PodList(_Part, frozen=True):
    """The whole document."""

    items: tuple[Pod, ...] | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A container of a pod."""

    pod: Pod
    container: ContainerStatus


class Pods:
    """The pods of a node at one moment, found by the IDs of their containers and by their uid."""

    def __init__(self, pods: tuple[Pod, ...]) -> None:
        self._by_uid = {pod.metadata.uid: pod for pod in pods}
        self._by_container: dict[str, tuple[Found, ...]] = {}
        self._ephemeral: dict[str, Pod] = {}
        for pod in pods:
            for each in (*pod.init_containers, *pod.containers):
                found = self._by_container.get(each.id, ())
                self._by_container[each.id] = (*found, Found(pod, each))
            for each in pod.status.ephemeral_container_statuses or ():
                self._ephemeral[each.id] = pod
        # Containers that have not started have no ID yet.
        self._by_container.pop("", None)
        self._ephemeral.pop("", None)

    def __len__(self) -> int:
        return len(self._by_uid)

    def with_container(self, container_id: str) -> tuple[Found, ...]:
        """Every container with that ID; more than one is a contradiction."""
        return self._by_container.get(container_id, ())

    def with_uid(self, uid: str) -> Pod | None:
        """The pod with that uid."""
        return self._by_uid.get(uid)

    def ephemeral(self, container_id: str) -> Pod | None:
        """The pod that somebody opened a container in for debugging, if this is that container."""
        return self._ephemeral.get(container_id)


def read(document: bytes) -> Pods:
    """Read the kubelet's answer. Raises: Malformed."""
    try:
        found = msgspec.json.decode(document, type=_PodList)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(
            f"the kubelet's list of pods cannot be read ({str(error)[:200]})"
        ) from error
    if found.kind != "PodList":
        raise Malformed(f"the kubelet's answer is {found.kind[:80]!a} and no PodList")
    return Pods(found.items or ())


def labels_of(pod: Pod) -> Mapping[str, str]:
    """The pod's labels."""
    return pod.metadata.labels or {}
