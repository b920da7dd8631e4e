"""What happened in the agent, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from finial.blocks import Block, SubjectKind
from finial.explain.hiding import BY_NAME_ALONE
from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called on a socket of ours, as the kernel says."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class NodeAttested:
    """The agent proved its node and received its own SVID."""

    agent_id: SpiffeId
    server: str
    serial: int
    expires_at: int
    reattestable: bool


@dataclass(frozen=True, slots=True)
class NodeRenewed:
    """The agent's own SVID was replaced."""

    agent_id: SpiffeId
    server: str
    serial: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class StandingLost:
    """The server denies us, or our SVID expired."""

    agent_id: SpiffeId | None
    reason: str


@dataclass(frozen=True, slots=True)
class AuthoritiesTrusted:
    """The configured source vouched for authorities of the server that we had not known."""

    address: str
    authorities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EntriesSynced:
    """The entries we may serve were compared with the server's."""

    entries: int
    changed: bool


@dataclass(frozen=True, slots=True)
class SvidReceived:
    """An X.509-SVID was signed for one of our workloads."""

    spiffe_id: SpiffeId
    entry_id: str
    serial: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenReceived:
    """A JWT-SVID was signed for one of our workloads."""

    spiffe_id: SpiffeId
    entry_id: str
    audience: tuple[str, ...]
    key_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class SigningFailed:
    """The server gave no SVID for an entry."""

    entry_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class WorkloadServed:
    """SVIDs or bundles were sent to a workload."""

    caller: Caller
    method: str
    spiffe_ids: tuple[SpiffeId, ...]


@dataclass(frozen=True, slots=True)
class SecretRejected:
    """An Envoy did not take what it was sent, for the reason it gives."""

    caller: Caller
    method: str
    names: tuple[str, ...]
    version: str
    detail: str


@dataclass(frozen=True, slots=True)
class CallRefused:
    """A caller was told no; `explained_as` is the id under which the agent explains it.

    `block` is the id of the block that it met.
    """

    caller: Caller
    method: str
    refusal: str
    detail: str
    explained_as: str = ""
    block: str = ""


@dataclass(frozen=True, slots=True)
class BlocksEnforced:
    """What is blocked took effect here: so many blocks hold, of which some are new.

    `began` names the new ones, as far as they are not very many, `ended` the ids of those that do
    not hold any more, `withheld` the entries of this agent that are given to nobody.
    """

    version: int
    blocks: int
    began: tuple[Block, ...]
    ended: tuple[str, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentLockedOut:
    """The server has blocked this agent itself, which gives nothing to anybody from here on."""

    agent_id: SpiffeId | None
    reason: str


@dataclass(frozen=True, slots=True)
class AgentReadmitted:
    """The server speaks with this agent again after it was blocked."""

    agent_id: SpiffeId | None


@dataclass(frozen=True, slots=True)
class AccessDecided:
    """A proxy asked whether a request may pass; what it was told is in `decision`.

    `means` says what proved who calls, `through` which proxies stood between. `rules` are the names
    of those that decided, `explained_as` the id under which the agent explains a denial.
    """

    asker: Caller
    callee: SpiffeId | None
    caller: SpiffeId | None
    means: str
    through: tuple[SpiffeId, ...]
    serials: tuple[str, ...]
    jti: str
    method: str
    path: str
    decision: str
    reason: str
    rules: tuple[str, ...] = ()
    because: str = ""
    explained_as: str = ""


Event = (
    NodeAttested
    | NodeRenewed
    | StandingLost
    | AuthoritiesTrusted
    | EntriesSynced
    | SvidReceived
    | TokenReceived
    | SigningFailed
    | WorkloadServed
    | AccessDecided
    | SecretRejected
    | CallRefused
    | BlocksEnforced
    | AgentLockedOut
    | AgentReadmitted
)


def members(event: Event) -> Mapping[str, object]:
    """The event's members as plain values, for a line of JSON."""
    return {field.name: _plain(getattr(event, field.name)) for field in fields(event)}


def _plain(value: object) -> object:
    match value:
        case SpiffeId():
            return str(value)
        case Caller():
            return {"pid": value.pid, "uid": value.uid, "gid": value.gid}
        case Block():
            return {
                "id": value.id,
                "kind": value.kind.value,
                "subject": _subject(value),
                "reason": value.reason,
                "since": value.since,
                "until": value.until,
            }
        case tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _subject(block: Block) -> str:
    """What is blocked; the value of an environment variable is no matter for a log."""
    if block.kind is SubjectKind.SELECTOR:
        return BY_NAME_ALONE.shown_text(block.subject)
    return block.subject
