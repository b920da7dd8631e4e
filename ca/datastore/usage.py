"""What the ledger tells about use: which entries are asked for, and what was not renewed."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from ca.datastore.subject import Subject
from ca.datastore.tables import issued
from ca.registry.issued import SvidKind

MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class LastSvid:
    """The X509-SVID that ends last of one ID, entry and agent; Unix seconds.

    Of an agent's own SVID the entry and the agent are empty.
    """

    spiffe_id: str
    entry_id: str
    agent_id: str
    issued_at: int
    expires_at: int


class Usage(Subject):
    """The part of the datastore that sums the ledger up, all of it, which takes a while."""

    async def used_entries(self) -> frozenset[str]:
        """The entries for which something was issued, as far back as the ledger remembers."""
        chosen = select(issued.c.entry_id).distinct()

        def ask(connection: Connection) -> frozenset[str]:
            return frozenset(connection.execute(chosen).scalars())

        return await self._ask(ask)

    async def ending(self, now: float, share: float) -> list[LastSvid]:
        """The X509-SVIDs without a successor that have less than a share of their life left.

        They are at most `MOST`, those that end first.
        """
        end, begin = func.max(issued.c.expires_at), func.max(issued.c.issued_at)
        which = issued.c.spiffe_id, issued.c.entry_id, issued.c.agent_id
        chosen = (
            select(*which, begin, end)
            .where(issued.c.kind == SvidKind.X509.value)
            .where(issued.c.expires_at > int(now))
            .group_by(*which)
            .having(end - int(now) < (end - begin) * share)
            .order_by(end)
            .limit(MOST)
        )
        rows = await self._ask(lambda connection: connection.execute(chosen).all())
        return [LastSvid(*row) for row in rows]
