"""Whether something is blocked, and by which block: asked for each request, so it is a lookup."""

from collections.abc import Iterable, Mapping
from typing import Final

from finial.blocks.block import Block
from finial.blocks.document import BlocksDocument, Crl
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


class Blocks:
    """A document, ready to be asked; it never changes. A block that has ended blocks nothing.

    Each question takes the Unix second of now and returns the block, or None.
    """

    __slots__ = ("_blocks", "_document")

    def __init__(self, document: BlocksDocument) -> None:
        self._document = document
        self._blocks: Mapping[str, Block] = {each.id: each for each in document.blocks}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    @property
    def version(self) -> int:
        """Which version of the topic this is."""
        return self._document.version

    @property
    def crls(self) -> tuple[Crl, ...]:
        """The revocation list of each authority of the trust domain."""
        return self._document.crls

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All of them, also those that have ended since."""
        return self._document.blocks

    @property
    def is_shortened(self) -> bool:
        """Whether not every blocked serial number and JWT id is named."""
        return self._document.shortened

    def holding(self, now: float) -> tuple[Block, ...]:
        """Those that are in force."""
        return tuple(each for each in self.blocks if each.holds(now))

    def next_end(self, now: float) -> int:
        """When the next of them ends by itself, in Unix seconds; 0 if none does."""
        return min((each.until for each in self.blocks if each.until > now), default=0)

    def of_id(self, spiffe_id: SpiffeId, now: float) -> Block | None:
        """What blocks an identity: a workload's, an agent's, a federated one."""
        return self._holding(self._document.spiffe_ids, str(spiffe_id), now)

    def of_entry(self, entry_id: str, spiffe_id: SpiffeId, now: float) -> Block | None:
        """What blocks an entry: its own block, one of its SPIFFE ID or of one of its selectors."""
        return self._holding(self._document.entries, entry_id, now) or self.of_id(spiffe_id, now)

    def of_selectors(self, selectors: Iterable[Selector], now: float) -> Block | None:
        """What blocks a caller that shows these, whatever its entries are."""
        blocked = self._document.selectors
        if not blocked:
            return None
        found = (self._holding(blocked, str(each), now) for each in selectors)
        return next((each for each in found if each is not None), None)

    def of_serial(self, serial: int | str, now: float) -> Block | None:
        """What blocks an X.509-SVID, by its serial number as a number or in decimal."""
        return self._holding(self._document.serials, str(serial), now)

    def of_jti(self, jti: str, now: float) -> Block | None:
        """What blocks a JWT-SVID, by its `jti`."""
        return self._holding(self._document.jtis, jti, now)

    def _holding(self, blocked: Mapping[str, str], name: str, now: float) -> Block | None:
        block = self._blocks.get(blocked.get(name, ""))
        return block if block is not None and block.holds(now) else None


NOTHING_BLOCKED: Final = Blocks(BlocksDocument(version=0))
