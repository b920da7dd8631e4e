"""What blocks hit, over what is registered and what was issued.

An identity is hit with all its SVIDs; an entry with what it gave; an agent with its own SVIDs and
all that it obtained, because whoever has the node has those keys too; a selector with every entry
that names it and every agent whose node shows it; a serial number and a JWT id alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.issued import Issued, SvidKind
from ca.registry.nodes.node_index import NodeIndex
from finial.blocks import MAX_DOCUMENT, Block, BlocksDocument, SubjectKind, encode
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector

MAX_SIZE: Final = 1024 * 1024
"""Bytes that blocks themselves take of a document of three mebibytes, twice their subjects."""

MAX_SVIDS: Final = 10_000
"""So many live SVIDs are named, each in 131 bytes at most: as a row of a CRL and by its number."""

MAX_ENTRIES: Final = 5_000
"""So many entries are named, each in 80 bytes; of blocked selectors agents know the rest."""

_AROUND: Final = 200


@dataclass(slots=True)
class Reach:
    """Names of what is hit, each with the id of its block; serial numbers are decimal.

    `order` is of the blocks' ids, those that end last at the end.
    """

    order: dict[str, int] = field(default_factory=dict)
    spiffe_ids: dict[str, str] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    selectors: dict[str, str] = field(default_factory=dict)
    serials: dict[str, str] = field(default_factory=dict)
    jtis: dict[str, str] = field(default_factory=dict)

    def of(self, svid: Issued) -> str:
        """The id of the block that hits an SVID beyond its identity; empty if none does.

        Of several it is the one that ends last: an agent that is away then hears of no other.
        """
        own = self.serials if svid.kind is SvidKind.X509 else self.jtis
        found = (
            own.get(svid.serial),
            self.entries.get(svid.entry_id),
            self.agents.get(svid.agent_id),
            self.agents.get(svid.spiffe_id),
        )
        return max(filter(None, found), key=lambda each: self.order.get(each, -1), default="")

    def hits(self, svid: Issued) -> bool:
        """Whether an SVID is hit by anything."""
        return svid.spiffe_id in self.spiffe_ids or bool(self.of(svid))


def reach_of(blocks: Iterable[Block], entries: EntryIndex, nodes: NodeIndex) -> Reach:
    """Say what these blocks hit; where several hit the same, the one that ends last is named."""
    reach = Reach()
    for number, block in enumerate(sorted(blocks, key=_lasting)):
        reach.order[block.id] = number
        match block.kind:
            case SubjectKind.SPIFFE_ID:
                reach.spiffe_ids[block.subject] = block.id
            case SubjectKind.ENTRY:
                reach.entries[block.subject] = block.id
            case SubjectKind.AGENT:
                reach.agents[block.subject] = block.id
            case SubjectKind.SERIAL:
                reach.serials[block.subject] = block.id
            case SubjectKind.JTI:
                reach.jtis[block.subject] = block.id
            case _:
                _spread(reach, block, entries, nodes)
    return reach


def entries_of(block: Block, entries: EntryIndex) -> Iterator[Entry]:
    """The registered entries that a block hits."""
    match block.kind:
        case SubjectKind.SPIFFE_ID:
            yield from entries.granting(SpiffeId.parse(block.subject))
        case SubjectKind.ENTRY:
            entry = entries.get(block.subject)
            if entry is not None:
                yield entry
        case SubjectKind.AGENT:
            yield from entries.children(SpiffeId.parse(block.subject))
        case SubjectKind.SELECTOR:
            selector = Selector.parse(block.subject)
            yield from (each for each in entries if selector in each.selectors)
        case _:
            return


def size_of(blocks: Iterable[Block]) -> int:
    """How many bytes of a document blocks take by themselves, at most."""
    return sum(
        2 * len(each.subject.encode()) + len(each.reason.encode()) + _AROUND for each in blocks
    )


def document_of(
    version: int, blocks: Iterable[Block], reach: Reach, live: Iterable[Issued], *, shortened: bool
) -> BlocksDocument:
    """Write down what agents are told, without the revocation lists; `live` is what is hit.

    Entries that are blocked themselves are named before those of a blocked selector.
    """
    serials, jtis = dict(reach.serials), dict(reach.jtis)
    for svid in live:
        block_id = reach.of(svid)
        if block_id:
            found = serials if svid.kind is SvidKind.X509 else jtis
            found[svid.serial] = block_id
    told = tuple(_told(each) for each in blocks)
    own = {each.subject: each.id for each in told if each.kind is SubjectKind.ENTRY}
    entries = {**own, **reach.entries}
    return BlocksDocument(
        version=version,
        blocks=told,
        spiffe_ids={**reach.spiffe_ids, **reach.agents},
        entries=dict(islice(entries.items(), MAX_ENTRIES)),
        selectors=reach.selectors,
        serials=serials,
        jtis=jtis,
        shortened=shortened or len(entries) > MAX_ENTRIES,
    )


def fitting(document: BlocksDocument) -> BlocksDocument:
    """The document, or if it is longer than agents read one of what blocks name themselves.

    Identifiers may be very long, and a selector may be that of every node.
    """
    if len(encode(document)) <= MAX_DOCUMENT:
        return document
    named: dict[SubjectKind, dict[str, str]] = {kind: {} for kind in SubjectKind}
    for each in document.blocks:
        named[each.kind][each.subject] = each.id
    return msgspec.structs.replace(
        document,
        spiffe_ids=named[SubjectKind.SPIFFE_ID] | named[SubjectKind.AGENT],
        entries=named[SubjectKind.ENTRY],
        serials=named[SubjectKind.SERIAL],
        jtis=named[SubjectKind.JTI],
        shortened=True,
    )


def _spread(reach: Reach, block: Block, entries: EntryIndex, nodes: NodeIndex) -> None:
    reach.selectors[block.subject] = block.id
    for entry in entries_of(block, entries):
        reach.entries[entry.id] = block.id
    for node in nodes.having((Selector.parse(block.subject),)):
        reach.agents[str(node.id)] = block.id


def _lasting(block: Block) -> tuple[bool, int, str]:
    return not block.until, block.until, block.id


def _told(block: Block) -> Block:
    return Block(block.id, block.kind, block.subject, block.reason, block.since, block.until)
