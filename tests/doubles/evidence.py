"""What attestors said, and grammars of attestors that need not be installed, made short."""

from attestors.contract import SelectorForm
from finial.explain.evidence import ATTESTED, FAILED, NOT_APPLICABLE, Evidence, Said
from finial.explain.hiding import Grammars
from finial.spiffe.selector import Selector


def form(
    type_: str, name: str, pattern: str, example: str, *, secret: bool = False, setting: str = ""
) -> SelectorForm:
    return SelectorForm(
        name,
        f"{name}:{pattern}",
        f"{type_}:{name}:{example}",
        f"the {name}'s owner",
        secret=secret,
        setting=setting,
    )


GRAMMARS: Grammars = {
    "unix": (
        form("unix", "uid", r"\d{1,10}", "1000"),
        form("unix", "user", r"[^:]+", "web"),
        form("unix", "gid", r"\d{1,10}", "1000"),
        form("unix", "supplementary_gid", r"\d{1,10}", "2000"),
        form("unix", "path", r"/.+", "/usr/bin/web"),
        form("unix", "cgroup", r"/.+", "/system.slice", setting="discover_cgroup"),
    ),
    "docker": (
        form("docker", "label", r"[^:]+:.*", "app:web"),
        form("docker", "image_label", r"[^:]+:.*", "app:web"),
        form("docker", "env", r"[^=]+=.*", "STAGE=test", secret=True, setting="env"),
        form("docker", "image_id", r".+", "sha256:5f5f"),
    ),
    "k8s": (form("k8s", "pod-name", r".+", "web-0"), form("k8s", "ns", r".+", "shop")),
}


def attested(name: str, *values: str, remarks: tuple[str, ...] = ()) -> Said:
    """An attestor that found these values."""
    return Said(name, ATTESTED, tuple(Selector(name, each) for each in values), remarks)


def failed(name: str, detail: str) -> Said:
    return Said(name, FAILED, detail=detail)


def not_applicable(name: str, detail: str) -> Said:
    return Said(name, NOT_APPLICABLE, detail=detail)


def evidence(*said: Said) -> Evidence:
    return Evidence(said, GRAMMARS)
