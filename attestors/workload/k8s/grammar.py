"""The forms of k8s selectors, named as SPIRE's (QW-02)."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar

NAME: Final = "k8s"
_NAMED: Final = r"[a-z0-9.-]{1,253}"
_UID: Final = r"[A-Za-z0-9-]{1,128}"
_TEXT: Final = r"[^\n]{1,1024}"
_KIND: Final = r"[A-Za-z0-9]{1,128}"
_COUNT: Final = r"[0-9]{1,4}"
_TRUSTS: Final = "the kernel for the cgroup, the kubelet for the pod that the container belongs to"
_IMAGES: Final = (
    "a reference with a tag names whatever image has that tag; one with a digest is exact"
)
_MUTABLE: Final = "whoever may change the pod may change its labels while it runs"
_FIRST: Final = "whoever may create pods in the namespace chooses it"


def _form(name: str, value: str, example: str, unproven: str = "") -> SelectorForm:
    return SelectorForm(name, f"{name}:{value}", f"{NAME}:{name}:{example}", _TRUSTS, unproven)


GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        _form("ns", _NAMED, "shop"),
        _form(
            "sa",
            _NAMED,
            "web",
            "whoever may create pods in the namespace may use any of its accounts",
        ),
        _form("node-name", _NAMED, "worker-1"),
        _form("pod-uid", _UID, "1f3c8b52-9a3e-4a55-8a0c-0b8e4b1a2c3d"),
        _form("pod-name", _NAMED, "web-0", _FIRST),
        _form(
            "pod-label",
            r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9._-]{1,63}:[A-Za-z0-9._-]{0,63}",
            "app:web",
            _MUTABLE,
        ),
        _form(
            "pod-owner",
            f"{_KIND}:{_NAMED}",
            "ReplicaSet:web-7d9c6c8b5f",
            "whoever may create pods in the namespace writes the owner there",
        ),
        _form(
            "pod-owner-uid",
            f"{_KIND}:{_UID}",
            "ReplicaSet:5b0f8f0e-2f5e-4a43-bb0b-3a3c2f1d0e9a",
            _FIRST,
        ),
        _form("pod-image", _TEXT, "registry.example/web:1.4", _IMAGES),
        _form("pod-image-count", _COUNT, "2"),
        _form("pod-init-image", _TEXT, "registry.example/migrate:1.4", _IMAGES),
        _form("pod-init-image-count", _COUNT, "1"),
        _form("container-name", _NAMED, "web", _FIRST),
        _form("container-image", _TEXT, "registry.example/web:1.4", _IMAGES),
    ),
)
