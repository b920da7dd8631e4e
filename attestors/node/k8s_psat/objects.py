"""The three objects that a cluster is asked for, read from its answers with care.

Only what is used is looked at, and each has to have the type and shape that Kubernetes gives it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from attestors.node.k8s_psat.payload import NAME
from finial.spiffe.json.strict_json import loads_object
from finial.spiffe.refusal import Kind, Refusal

MAX_ANSWER: Final = 4 * 1024 * 1024
REVIEW_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_USER: Final = re.compile(
    r"system:serviceaccount:([a-z0-9.-]{1,253}):([a-z0-9.-]{1,253})", re.ASCII
)
_EXTRA: Final = "authentication.kubernetes.io/"
_UID: Final = re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Review:
    """What a TokenReview says of a token: whose it is, and to which pod it is bound.

    `pod_name` and `pod_uid` are empty for a token that is bound to no pod; older clusters name no
    node.
    """

    authenticated: bool
    audiences: tuple[str, ...] = ()
    namespace: str = ""
    service_account: str = ""
    pod_name: str = ""
    pod_uid: str = ""
    node_name: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that an agent runs in."""

    uid: str
    node_name: str
    host_ip: str
    service_account: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """The node that a pod runs on."""

    uid: str
    labels: Mapping[str, str]


def review_request(token: str, audiences: Sequence[str]) -> bytes:
    """Write a TokenReview; without audiences the API server asks for its own."""
    spec = {"token": token, "audiences": list(audiences)}
    return json.dumps(
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    ).encode("ascii")


def pod_path(namespace: str, name: str) -> str:
    """Where the pod is."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"


def node_path(name: str) -> str:
    """Where the node is."""
    return f"/api/v1/nodes/{quote(name, safe='')}"


def read_review(document: bytes) -> Review:
    """Read a TokenReview's status.

    Raises: Refusal of kind UNAVAILABLE (no answer of Kubernetes), DENIED (no service account).
    """
    status = _table(_object(document, "TokenReview"), "status")
    if status.get("authenticated") is not True:
        return Review(authenticated=False)
    user = _table(status, "user")
    account = _USER.fullmatch(_text(user, "username"))
    if account is None:
        raise Refusal(Kind.DENIED, f"{NAME}: the token belongs to no service account")
    extra = _table(user, "extra")
    return Review(
        authenticated=True,
        audiences=_texts(status, "audiences"),
        namespace=account.group(1),
        service_account=account.group(2),
        pod_name=_only(_texts(extra, f"{_EXTRA}pod-name")),
        pod_uid=_only(_texts(extra, f"{_EXTRA}pod-uid")),
        node_name=_only(_texts(extra, f"{_EXTRA}node-name")),
    )


def read_pod(document: bytes) -> Pod:
    """Read a pod. Raises: Refusal of kind UNAVAILABLE."""
    pod = _object(document, "Pod")
    metadata, spec, status = (_table(pod, each) for each in ("metadata", "spec", "status"))
    return Pod(
        uid=_uid(metadata),
        node_name=_text(spec, "nodeName"),
        host_ip=_text(status, "hostIP"),
        service_account=_text(spec, "serviceAccountName"),
        labels=_labels(metadata),
    )


def read_node(document: bytes) -> Node:
    """Read a node. Raises: Refusal of kind UNAVAILABLE."""
    metadata = _table(_object(document, "Node"), "metadata")
    return Node(_uid(metadata), _labels(metadata))


def _object(document: bytes, kind: str) -> dict[str, object]:
    try:
        found = loads_object(document, max_bytes=MAX_ANSWER)
    except Refusal as refusal:
        raise _strange(f"answers with no JSON ({refusal.detail})") from refusal
    if found.get("kind") != kind:
        raise _strange(f"answers with something else than a {kind}")
    return found


def _table(members: Mapping[str, object], name: str) -> dict[str, object]:
    found = members.get(name)
    if found is None:
        return {}
    if isinstance(found, dict):
        return found
    raise _strange(f"answers with a {name} that is no object")


def _text(members: Mapping[str, object], name: str) -> str:
    found = members.get(name, "")
    if isinstance(found, str):
        return found
    raise _strange(f"answers with a {name} that is no text")


def _texts(members: Mapping[str, object], name: str) -> tuple[str, ...]:
    found = members.get(name)
    if found is None:
        return ()
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return tuple(found)
    raise _strange(f"answers with {name} that are no list of texts")


def _labels(metadata: Mapping[str, object]) -> dict[str, str]:
    found = _table(metadata, "labels")
    return {key: _text(found, key) for key in found}


def _uid(metadata: Mapping[str, object]) -> str:
    found = _text(metadata, "uid")
    if not _UID.fullmatch(found):
        raise _strange("answers with an object without a uid")
    return found


def _only(values: tuple[str, ...]) -> str:
    # More than one value would leave open which pod is meant.
    return values[0] if len(values) == 1 else ""


def _strange(fault: str) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, f"{NAME}: the Kubernetes API {fault}")
