"""A vocabulary of a few types, as small as the rules need it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ca.registry.nodes.node import Node
from ca.registry.selectors.fleet import Fleet
from ca.registry.selectors.judge import Surroundings
from ca.registry.selectors.vocabulary import SelectorType, Vocabulary
from tests.doubles.clock import NOW


@dataclass(frozen=True)
class SmallForm:
    name: str
    pattern: str
    example: str
    trusts: str = "the kernel."
    secret: bool = False
    setting: str = ""


def form(type_: str, name: str, pattern: str, example: str, *, secret: bool = False) -> SmallForm:
    return SmallForm(name, f"{name}:{pattern}", f"{type_}:{name}:{example}", secret=secret)


UNIX = SelectorType.of(
    "unix",
    form("unix", "uid", r"\d{1,10}", "1000"),
    form("unix", "user", r"[^:\s]+", "web"),
    form("unix", "path", "/.+", "/usr/bin/web"),
    form("unix", "sha256", "[0-9a-f]{64}", "5f" * 32),
)
DOCKER = SelectorType.of(
    "docker",
    form("docker", "label", "[^:]+:.*", "app:web"),
    form("docker", "env", "[^=]+=.*", "A=b", secret=True),
)
K8S = SelectorType.of("k8s", form("k8s", "ns", ".+", "web"), form("k8s", "pod-name", ".+", "web-1"))
X509POP = SelectorType.of("x509pop", form("x509pop", "subject", "cn:.+", "cn:node"))
WORDS = Vocabulary(
    {each.name: each for each in (DOCKER, K8S, UNIX, SelectorType("open"))},
    {"join_token": SelectorType.of("join_token"), "x509pop": X509POP},
    frozenset({"foreign"}),
)


def around(
    fleet: Fleet | None = None, nodes: Iterable[Node] = (), words: Vocabulary = WORDS
) -> Surroundings:
    """What a judgement rests on, with these nodes and what their agents said."""
    known, said = tuple(nodes), fleet or Fleet()
    types = frozenset(each.type for node in known for each in node.selectors)
    return Surroundings(words, said, lambda: types, lambda: said.is_whole(known, NOW))
