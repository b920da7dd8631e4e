"""All blocks in memory, and whether something is blocked; asked before anything is issued."""

from collections.abc import Collection, Iterable, Iterator

from ca.registry.entry import Entry
from ca.registry.issued import Issued, SvidKind
from ca.registry.nodes.node_index import NodeIndex
from finial.blocks import Block, SubjectKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


class BlockIndex:
    """The blocks of the trust domain; belongs to one thread.

    `names_selectors` says that a change of entries or nodes may change what is hit.
    Each question takes the Unix second of now and returns the block, or None.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}
        self._subjects: dict[tuple[SubjectKind, str], Block] = {}
        self.names_selectors = False

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[Block]:
        """In the order in which they began."""
        return iter(self._blocks.values())

    def replace(self, blocks: Iterable[Block]) -> None:
        """Take in all blocks there are, instead of those that were."""
        ordered = sorted(blocks, key=lambda each: (each.since, each.id))
        self._blocks = {each.id: each for each in ordered}
        self._subjects = {(each.kind, each.subject): each for each in ordered}
        self.names_selectors = any(each.kind is SubjectKind.SELECTOR for each in ordered)

    def get(self, block_id: str) -> Block | None:
        """Find a block by its id."""
        return self._blocks.get(block_id)

    def on(self, kind: SubjectKind, subject: str) -> Block | None:
        """Find the block of a subject, also one that has ended."""
        return self._subjects.get((kind, subject))

    def holding(self, now: float) -> tuple[Block, ...]:
        """The blocks that are in force, in the order in which they began."""
        return tuple(each for each in self if each.holds(now))

    def next_end(self, now: float) -> int:
        """When the next of them ends by itself, in Unix seconds; 0 if none does."""
        return min((each.until for each in self if each.until > now), default=0)

    def of_id(self, spiffe_id: SpiffeId | str, now: float) -> Block | None:
        """What blocks an identity."""
        return self._held(SubjectKind.SPIFFE_ID, str(spiffe_id), now)

    def of_entry(self, entry: Entry, now: float) -> Block | None:
        """What blocks an entry: itself, its SPIFFE ID, or one of its selectors."""
        return (
            self._held(SubjectKind.ENTRY, entry.id, now)
            or self.of_id(entry.spiffe_id, now)
            or self.of_selectors(entry.selectors, now)
        )

    def of_agent(
        self, agent: SpiffeId, selectors: Collection[Selector], now: float
    ) -> Block | None:
        """What blocks an agent: itself, or one of its node's selectors."""
        return self._held(SubjectKind.AGENT, str(agent), now) or self.of_selectors(selectors, now)

    def agents(self, nodes: NodeIndex, now: float) -> dict[SpiffeId, Block]:
        """Every agent that is blocked, itself or by a selector of its node."""
        found: dict[SpiffeId, Block] = {}
        for block in self.holding(now):
            if block.kind is SubjectKind.AGENT:
                found[SpiffeId.parse(block.subject)] = block
            elif block.kind is SubjectKind.SELECTOR:
                hit = nodes.having((Selector.parse(block.subject),))
                found.update((node.id, found.get(node.id, block)) for node in hit)
        return found

    def of_selectors(self, selectors: Iterable[Selector], now: float) -> Block | None:
        """What blocks whoever shows these selectors."""
        if not self.names_selectors:
            return None
        found = (self._held(SubjectKind.SELECTOR, str(each), now) for each in selectors)
        return next((each for each in found if each is not None), None)

    def of_serial(self, serial: str, now: float) -> Block | None:
        """What blocks one X.509-SVID, by its serial number in decimal."""
        return self._held(SubjectKind.SERIAL, serial, now)

    def of_issued(self, svid: Issued, now: float) -> Block | None:
        """What blocks an SVID by what the ledger says of it, but for its entry's selectors."""
        own = SubjectKind.SERIAL if svid.kind is SvidKind.X509 else SubjectKind.JTI
        return (
            self.of_id(svid.spiffe_id, now)
            or self._held(SubjectKind.AGENT, svid.spiffe_id, now)
            or self._held(SubjectKind.ENTRY, svid.entry_id, now)
            or self._held(SubjectKind.AGENT, svid.agent_id, now)
            or self._held(own, svid.serial, now)
        )

    def _held(self, kind: SubjectKind, subject: str, now: float) -> Block | None:
        block = self._subjects.get((kind, subject))
        return block if block is not None and block.holds(now) else None
