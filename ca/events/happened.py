"""What happened in the server, as frozen values: who did what to whom.

An event names its `kind` once and says by `subjects` what the audit log has to know of it, a
mapping for each line. Secrets are no part of any event.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ca.events.access_rules import (
    CalleeModeSet,
    CalleeModeUnset,
    PolicyCreated,
    PolicyDeleted,
    PolicyUpdated,
)
from ca.events.locked_out import Blocked, BlockEnded, Unblocked
from ca.events.subjects import (
    AttestedNode,
    IssuedSvid,
    RegisteredEntry,
    SigningSlot,
    describe_entry,
    describe_issued,
    describe_node,
    describe_slot,
)
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal

Subjects = Iterator[Mapping[str, object]]


class ActorKind(enum.StrEnum):
    """How whoever acts was recognised."""

    LOCAL = "local"
    ADMIN = "admin"
    AGENT = "agent"
    TOKEN = "token"  # noqa: S105  a word, not a secret
    SYSTEM = "system"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `id` is a SPIFFE ID or an API token's id; `uid` and `pid` are the kernel's word."""

    kind: ActorKind
    id: str = ""
    address: str = ""
    uid: int | None = None
    pid: int | None = None

    @property
    def name(self) -> str:
        """Who acts, in a few words, such as `local uid 0`."""
        uid = "" if self.uid is None else f"uid {self.uid}"
        return " ".join(filter(None, (self.kind.value, self.id or uid)))


SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class _EntryEvent:
    kind: ClassVar[str]
    who: Actor
    entry: RegisteredEntry | str

    def subjects(self) -> Subjects:
        """The entry."""
        if isinstance(self.entry, str):
            yield {"entry_id": self.entry}
        else:
            yield describe_entry(self.entry)


@dataclass(frozen=True, slots=True)
class EntryCreated(_EntryEvent):
    """An entry was registered."""

    kind = "entry_created"


@dataclass(frozen=True, slots=True)
class EntryUpdated(_EntryEvent):
    """An entry was changed; it is told as it is now."""

    kind = "entry_updated"


@dataclass(frozen=True, slots=True)
class EntryDeleted(_EntryEvent):
    """An entry was deleted or expired; it is told as it was, or by its id."""

    kind = "entry_deleted"


@dataclass(frozen=True, slots=True)
class EntryDoubted(_EntryEvent):
    """An entry was stored that asks for what nothing gives; `insisted` says that its author knew.

    Otherwise it came over an API whose clients cannot be told.
    """

    kind = "entry_doubted"
    entry: RegisteredEntry
    doubts: tuple[str, ...]
    insisted: bool

    def subjects(self) -> Subjects:
        """The entry, and what is wrong with it."""
        yield {
            "entry_id": self.entry.id,
            "spiffe_id": str(self.entry.spiffe_id),
            "doubts": list(self.doubts),
            "insisted": self.insisted,
        }


@dataclass(frozen=True, slots=True)
class _NodeEvent:
    kind: ClassVar[str]
    who: Actor
    node: AttestedNode

    def subjects(self) -> Subjects:
        """The node."""
        yield describe_node(self.node)


@dataclass(frozen=True, slots=True)
class NodeAttested(_NodeEvent):
    """A node was attested and got its SVID."""

    kind = "node_attested"


@dataclass(frozen=True, slots=True)
class NodeRenewed(_NodeEvent):
    """A node's SVID was renewed."""

    kind = "node_renewed"


@dataclass(frozen=True, slots=True)
class NodeBanned(_NodeEvent):
    """A node was banned."""

    kind = "node_banned"


@dataclass(frozen=True, slots=True)
class NodeEvicted(_NodeEvent):
    """A node was forgotten."""

    kind = "node_evicted"


@dataclass(frozen=True, slots=True)
class SvidsIssued:
    """SVIDs were signed in one call; each has a line of its own."""

    kind: ClassVar[str] = "svid_issued"
    who: Actor
    batch: Sequence[IssuedSvid]

    def subjects(self) -> Subjects:
        """Every SVID."""
        return map(describe_issued, self.batch)


@dataclass(frozen=True, slots=True)
class Minted:
    """An administrator had an SVID signed that no entry asks for."""

    kind: ClassVar[str] = "svid_minted"
    who: Actor
    svid: IssuedSvid

    def subjects(self) -> Subjects:
        """The SVID."""
        yield describe_issued(self.svid)


@dataclass(frozen=True, slots=True)
class _JoinTokenEvent:
    kind: ClassVar[str]
    who: Actor
    token_id: str
    expires_at: int
    alias: SpiffeId | None = None

    def subjects(self) -> Subjects:
        """The token's id, which tells nothing of the token."""
        alias = str(self.alias) if self.alias else ""
        yield {"join_token_id": self.token_id, "expires_at": self.expires_at, "alias": alias}


@dataclass(frozen=True, slots=True)
class JoinTokenCreated(_JoinTokenEvent):
    """A join token was made."""

    kind = "join_token_created"


@dataclass(frozen=True, slots=True)
class JoinTokenDeleted(_JoinTokenEvent):
    """A join token was withdrawn before anybody spent it."""

    kind = "join_token_deleted"


@dataclass(frozen=True, slots=True)
class _ApiTokenEvent:
    kind: ClassVar[str]
    who: Actor
    token_id: str
    name: str
    scopes: frozenset[str]
    expires_at: int = 0

    def subjects(self) -> Subjects:
        """The token's id, its name and what it may do."""
        yield {
            "api_token_id": self.token_id,
            "name": self.name,
            "scopes": sorted(map(str, self.scopes)),
            "expires_at": self.expires_at,
        }


@dataclass(frozen=True, slots=True)
class ApiTokenCreated(_ApiTokenEvent):
    """An administrator's API token was made."""

    kind = "api_token_created"


@dataclass(frozen=True, slots=True)
class ApiTokenRevoked(_ApiTokenEvent):
    """An administrator's API token was revoked."""

    kind = "api_token_revoked"


@dataclass(frozen=True, slots=True)
class _AuthorityEvent:
    kind: ClassVar[str]
    who: Actor
    slot: SigningSlot

    def subjects(self) -> Subjects:
        """The authority."""
        yield describe_slot(self.slot)


@dataclass(frozen=True, slots=True)
class AuthorityPrepared(_AuthorityEvent):
    """A new authority was made and published; it does not sign yet."""

    kind = "authority_prepared"


@dataclass(frozen=True, slots=True)
class AuthorityActivated(_AuthorityEvent):
    """An authority signs from now on."""

    kind = "authority_activated"


@dataclass(frozen=True, slots=True)
class AuthorityRetired(_AuthorityEvent):
    """An authority left the bundle, since all that it signed has expired."""

    kind = "authority_retired"


@dataclass(frozen=True, slots=True)
class BundleChanged:
    """A bundle, the own one or a federated one, was stored."""

    kind: ClassVar[str] = "bundle_changed"
    who: Actor
    trust_domain: TrustDomain
    sequence: int

    def subjects(self) -> Subjects:
        """The bundle's name and sequence."""
        yield {"trust_domain": self.trust_domain.name, "sequence": self.sequence}


@dataclass(frozen=True, slots=True)
class BundleDeleted:
    """A federated bundle was forgotten."""

    kind: ClassVar[str] = "bundle_deleted"
    who: Actor
    trust_domain: TrustDomain

    def subjects(self) -> Subjects:
        """The bundle's name."""
        yield {"trust_domain": self.trust_domain.name}


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Someone was told no.

    `method` is a gRPC path or an HTTP method and path; `subject` says what was asked for, where it
    is known. Both may be a caller's words.
    """

    kind: ClassVar[str] = "call_refused"
    who: Actor
    method: str
    refusal: Refusal
    subject: str = ""

    def subjects(self) -> Subjects:
        """The method and what was asked for."""
        subject = {"subject": self.subject} if self.subject else {}
        field = {"field": self.refusal.field} if self.refusal.field else {}
        yield {"method": self.method, **subject, **field}


Event = (
    EntryCreated
    | EntryUpdated
    | EntryDeleted
    | EntryDoubted
    | NodeAttested
    | NodeRenewed
    | NodeBanned
    | NodeEvicted
    | SvidsIssued
    | Minted
    | JoinTokenCreated
    | JoinTokenDeleted
    | ApiTokenCreated
    | ApiTokenRevoked
    | AuthorityPrepared
    | AuthorityActivated
    | AuthorityRetired
    | BundleChanged
    | BundleDeleted
    | Blocked
    | Unblocked
    | BlockEnded
    | PolicyCreated
    | PolicyUpdated
    | PolicyDeleted
    | CalleeModeSet
    | CalleeModeUnset
    | CallRefused
)
