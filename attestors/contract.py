"""What an attestor promises; `finial.runtime.plugins` finds it by its entry point.

A node attestor has two halves that never import each other: the evidence, in the agent, and the
verifier, in the server. Their conversation consists of values, so that either half can be tested
without a network: a payload, then any number of challenges and responses, then a verdict.
A plugin's module has `Settings`, a frozen dataclass, `create`, whose shape is given below, and, for
everything that gives selectors, `GRAMMAR`. It is imported also where nothing is attested (a server
reads the grammars), so what is large is imported by `create`.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from finial.explain.diagnosis import Diagnosis
from finial.runtime.entropy import Entropy
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

NODE_EVIDENCE = "finial.node_evidence"
NODE_VERIFIER = "finial.node_verifier"
WORKLOAD_ATTESTOR = "finial.workload_attestor"


class NodeEvidence(Protocol):
    """The agent's half; `create(settings) -> NodeEvidence`.

    Settings that name a file are read at each attestation, because what is in it may have changed.
    """

    @property
    def name(self) -> str:
        """The attestor's name on the wire, such as `x509pop`."""
        ...

    async def payload(self) -> bytes:
        """Return what opens the conversation.

        Raises: Refusal of kind PRECONDITION: what is needed is missing, with the remedy.
        """
        ...

    async def respond(self, challenge: bytes) -> bytes:
        """Answer one challenge.

        Raises: Refusal of kind INVALID: the challenge makes no sense.
        """
        ...


@dataclass(frozen=True, slots=True)
class Challenge:
    """The verifier asks the agent; the answer is the agent's response."""

    document: bytes


@dataclass(frozen=True, slots=True)
class SpendToken:
    """The verifier asks the server to spend a join token; the answer is `b""` once it is spent.

    A token that does not exist, was spent or has expired never gets an answer: the server refuses.
    """

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Consult:
    """The verifier asks its own platform, such as a Kubernetes API, named by `whom`.

    The server awaits `ask` for a bounded time and sends back its answer. What `ask` raises ends the
    conversation: a Refusal as it is.
    """

    whom: str
    ask: Callable[[], Awaitable[bytes]] = field(repr=False)


Question = Challenge | SpendToken | Consult


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who the node is: `agent_path` stands below `/spire/agent`, such as `/x509pop/<hash>`.

    `can_reattest` says whether the same evidence may be given again.
    """

    agent_path: str
    selectors: tuple[Selector, ...] = ()
    can_reattest: bool = False


@dataclass(frozen=True, slots=True)
class VerifierContext:
    """What a verifier may know of its server; `bundle` returns our own bundle as it is now."""

    trust_domain: TrustDomain
    bundle: Callable[[], Bundle]
    entropy: Entropy


Address = IPv4Address | IPv6Address
Conversation = Generator[Question, bytes, Verdict]


class NodeVerifier(Protocol):
    """The server's half; `create(settings, context) -> NodeVerifier`."""

    @property
    def name(self) -> str:
        """The attestor's name on the wire, such as `x509pop`."""
        ...

    def verify(self, payload: bytes, now: float, address: Address | None = None) -> Conversation:
        """Hold one conversation: yield questions, be sent their answers, return the verdict.

        `now` is Unix seconds; `address` is the other end of the connection as the kernel sees it,
        nothing on a Unix socket. What is sent has been bounded in size by the caller, no more.

        Raises: Refusal of kind INVALID (what was sent makes no sense), DENIED (it proves nothing).
        """
        ...


@dataclass(frozen=True, slots=True)
class Process:
    """A caller: `pid`, `uid` and `gid` as the kernel recorded them when it connected.

    `proc` is its folder, such as `/proc/123`. What is read there belongs to the caller only if the
    process still lives afterwards, which is for whoever calls the attestor to check.
    """

    pid: int
    uid: int
    gid: int
    proc: str


@dataclass(frozen=True, slots=True)
class Attested:
    """The process was looked at, and this was found.

    `remarks` say in a sentence each which selectors could not be given, and why. `facts` are what
    was found and is no selector, as name and value, such as `("container", "3f0c...")`.
    """

    selectors: tuple[Selector, ...]
    remarks: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The process is none of this attestor's, for example not in a container."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The process could not be looked at; `DENIED` means that the caller gets nothing at all."""

    kind: Kind
    detail: str


Finding = Attested | NotApplicable | Failed


@dataclass(frozen=True, slots=True)
class SelectorForm:
    """One form of a selector's value: `example` is a whole selector that `pattern` matches.

    `pattern` is a regular expression for the whole value (what follows the attestor's name and a
    colon); it begins with `name` and a colon, and `name` never contains one. `trusts` says in one
    sentence what a match relies on, `unproven` what it does not prove. The value of a `secret` form
    is never shown or logged beyond its first colon or equals sign. `setting` names the attestor's
    setting without which the form is never given, if it is off by default.
    """

    name: str
    pattern: str
    example: str
    trusts: str
    unproven: str = ""
    secret: bool = False
    setting: str = ""


@dataclass(frozen=True, slots=True)
class SelectorGrammar:
    """Every form of selector that an attestor gives, for completion, lint and explanation."""

    type: str
    forms: tuple[SelectorForm, ...]


class WorkloadAttestor(Protocol):
    """From a process to its selectors; `create(settings) -> WorkloadAttestor`.

    One that has `answers_at_once = True` hardly ever waits, keeps its deadline without help, and
    may be asked outside of any task: it must not ask for the current one, as `asyncio.timeout`
    does.
    """

    @property
    def name(self) -> str:
        """The attestor's name, which is the type of all its selectors."""
        ...

    @property
    def grammar(self) -> SelectorGrammar:
        """The forms of its selectors."""
        ...

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Look at a process until `deadline` (monotonic seconds); what it finds never raises."""
        ...

    async def diagnose(self, deadline: float) -> Sequence[Diagnosis]:
        """Say until `deadline` (monotonic seconds) whether what it needs can be reached."""
        ...
