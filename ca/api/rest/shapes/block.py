"""Blocks as documents: what is blocked, what that hits, and who could still accept what."""

from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import Field

from ca.api.rest.shapes.shape import Answer, Shape
from ca.api.rest.shapes.svid import IssuedDocument
from ca.api.rest.shapes.times import Instant, instant, seconds
from ca.operations.administration.administer_blocks import Blocking, BlockWish, Reception
from ca.registry.block.judge_block import MAX_REASON, MAX_SUBJECT
from ca.registry.block.outlook import Holder, Outlook, Remainder
from ca.registry.entry import Entry
from finial.blocks import Block, SubjectKind

SHOWN: int = 100
"""So many entries and SVIDs are listed; all of them are counted."""


class NewBlock(Shape):
    """What is to be blocked, and why."""

    kind: Annotated[SubjectKind, Field(strict=False)] = SubjectKind.SPIFFE_ID
    subject: str = Field(
        max_length=MAX_SUBJECT,
        description="A SPIFFE ID, an entry's id, a selector, a serial number (decimal or hex), "
        "or a JWT's jti.",
        examples=["spiffe://example.org/orders"],
    )
    reason: str = Field(max_length=MAX_REASON, examples=["key leaked"])
    until: Annotated[
        Instant | None,
        Field(strict=False, description="When it ends by itself; null: never."),
    ] = None

    @property
    def wish(self) -> BlockWish:
        """The same as a value."""
        return BlockWish(self.kind, self.subject, self.reason, seconds(self.until))


class BlockDocument(Answer):
    """One block."""

    id: str
    kind: SubjectKind
    subject: str
    reason: str
    who: str
    since: Instant | None
    until: Instant | None

    @classmethod
    def of(cls, block: Block) -> Self:
        """Write a value as a document."""
        return cls(
            id=block.id,
            kind=block.kind,
            subject=block.subject,
            reason=block.reason,
            who=block.who,
            since=instant(block.since),
            until=instant(block.until),
        )


class HitEntry(Answer):
    """A registration entry that is hit."""

    id: str
    spiffe_id: str
    parent_id: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Write a value as a document."""
        return cls(id=entry.id, spiffe_id=str(entry.spiffe_id), parent_id=str(entry.parent_id))


class HolderDocument(Answer):
    """An agent that obtained live SVIDs of what is hit."""

    agent_id: str
    connected: bool
    svids: int
    until: Instant | None = Field(description="When the last of these SVIDs ends.")
    last_connected_at: Instant | None

    @classmethod
    def of(cls, holder: Holder) -> Self:
        """Write a value as a document."""
        return cls(
            agent_id=str(holder.id),
            connected=holder.connected,
            svids=holder.svids,
            until=instant(holder.until),
            last_connected_at=instant(holder.left_at),
        )


class RemainderDocument(Answer):
    """Who could still do what, a sentence of two parts, and until when."""

    who: str
    what: str
    until: Instant | None = Field(description="Null where only another trust domain knows it.")

    @classmethod
    def of(cls, remainder: Remainder) -> Self:
        """Write a value as a document."""
        return cls(who=remainder.who, what=remainder.what, until=instant(remainder.until))


class HitsDocument(Answer):
    """What a block hits."""

    entry_count: int
    entries: list[HitEntry] = Field(description=f"The first {SHOWN}.")
    svid_count: int
    svids: list[IssuedDocument] = Field(description=f"Live SVIDs, the first {SHOWN} to end last.")
    more: bool = Field(description="Whether there are more live SVIDs than were counted.")
    agents: list[str] = Field(description="Agents that are blocked themselves.")
    holders: list[HolderDocument]
    remains: list[RemainderDocument]

    @classmethod
    def of(cls, outlook: Outlook) -> Self:
        """Write a value as a document."""
        return cls(
            entry_count=len(outlook.entries),
            entries=[HitEntry.of(each) for each in outlook.entries[:SHOWN]],
            svid_count=len(outlook.svids),
            svids=[IssuedDocument.of(each) for each in outlook.svids[:SHOWN]],
            more=outlook.more,
            agents=[str(each) for each in outlook.blocked_agents],
            holders=[HolderDocument.of(each) for each in outlook.holders],
            remains=[RemainderDocument.of(each) for each in outlook.remains()],
        )


class ReceptionDocument(Answer):
    """Which agents enforce the blocks as they are now."""

    version: int
    applied: list[str] = Field(description="Agents that said so.")
    waiting: list[str] = Field(description="Agents that are connected and have not said so yet.")
    deaf: list[str] = Field(
        description="Agents that know nothing of blocks; what is blocked is withheld from them."
    )
    unreachable: list[str] = Field(description="Agents that are away.")
    seconds: float = Field(description="From the request until the last agent had said so.")

    @classmethod
    def of(cls, reception: Reception) -> Self:
        """Write a value as a document."""
        return cls(
            version=reception.version,
            applied=[str(each) for each in reception.applied],
            waiting=[str(each) for each in reception.waiting],
            deaf=[str(each) for each in reception.deaf],
            unreachable=[str(each) for each in reception.unreachable],
            seconds=round(reception.seconds, 3),
        )


class BlockingDocument(Answer):
    """A block, what it hits, and who enforces it; nobody while it is only asked about."""

    dry_run: bool
    block: BlockDocument
    hits: HitsDocument
    reception: ReceptionDocument | None

    @classmethod
    def of(cls, blocking: Blocking) -> Self:
        """Write a value as a document."""
        found = blocking.reception
        return cls(
            dry_run=found is None,
            block=BlockDocument.of(blocking.block),
            hits=HitsDocument.of(blocking.outlook),
            reception=ReceptionDocument.of(found) if found is not None else None,
        )


def pem_of(der: bytes) -> str:
    """Write a revocation list in PEM."""
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM).decode()
