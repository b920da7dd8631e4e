"""Blocks in the datastore, and the live SVIDs that they hit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, RowMapping, and_, delete, insert, select, update

from ca.datastore.columns import parts
from ca.datastore.engine.transaction import Transaction
from ca.datastore.ledger import read_issued
from ca.datastore.subject import Subject
from ca.datastore.tables import blocks, issued
from ca.registry.change import Topic
from ca.registry.issued import Issued, SvidKind
from finial.blocks import Block, SubjectKind
from finial.spiffe.refusal import Kind, Refusal

MAX_LIVE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which live SVIDs are looked for: whatever is named by any of these; serials are decimal."""

    spiffe_ids: frozenset[str] = frozenset()
    entry_ids: frozenset[str] = frozenset()
    agent_ids: frozenset[str] = frozenset()
    serials: frozenset[str] = frozenset()
    jtis: frozenset[str] = frozenset()


class Blocks(Subject):
    """The part of the datastore that keeps blocks."""

    async def create_block(self, block: Block) -> Block | None:
        """Store a new block; return the one whose place it takes: it has ended, or ends sooner.

        Raises: Refusal of kind EXISTS when its subject is blocked already for as long; `value` is
        that block's id.
        """
        subject = and_(blocks.c.kind == block.kind.value, blocks.c.subject == block.subject)
        known = select(blocks).where(subject)

        def act(transaction: Transaction) -> Block | None:
            connection = transaction.connection
            row = connection.execute(known).mappings().one_or_none()
            before = _block(row) if row is not None else None
            if before is not None:
                if before.holds(block.since) and not block.outlasts(before):
                    raise _exists(before)
                connection.execute(delete(blocks).where(subject))
            connection.execute(insert(blocks).values(_values(block)))
            transaction.note(Topic.BLOCKS, [block.id])
            return before

        return await self._write(act)

    async def extend_block(self, block_id: str, until: int) -> None:
        """Give a block another end, in Unix seconds; one that is gone stays gone."""
        chosen = update(blocks).where(blocks.c.id == block_id).values(until=until)

        def act(transaction: Transaction) -> None:
            if transaction.connection.execute(chosen).rowcount:
                transaction.note(Topic.BLOCKS, [block_id])

        await self._write(act)

    async def delete_block(self, block_id: str) -> Block:
        """Forget a block; return what it was.

        Raises: Refusal of kind NOT_FOUND.
        """
        chosen = blocks.c.id == block_id

        def act(transaction: Transaction) -> Block:
            connection = transaction.connection
            row = connection.execute(select(blocks).where(chosen)).mappings().one_or_none()
            if row is None:
                raise block_not_found(block_id)
            connection.execute(delete(blocks).where(chosen))
            transaction.note(Topic.BLOCKS, [block_id])
            return _block(row)

        return await self._write(act)

    async def prune_blocks(self, now: float) -> list[Block]:
        """Forget the blocks that have ended; return them."""
        over = and_(blocks.c.until > 0, blocks.c.until <= int(now))

        def act(transaction: Transaction) -> list[Block]:
            rows = transaction.connection.execute(select(blocks).where(over)).mappings()
            found = [_block(row) for row in rows]
            if found:
                transaction.connection.execute(delete(blocks).where(over))
                transaction.note(Topic.BLOCKS, [each.id for each in found])
            return found

        return await self._write(act)

    async def load_blocks(self) -> list[Block]:
        """Read all blocks in the order in which they began."""
        chosen = select(blocks).order_by(blocks.c.since, blocks.c.id)
        return await self._ask(
            lambda connection: [_block(row) for row in connection.execute(chosen).mappings()]
        )

    async def live_svids(
        self, wanted: Wanted, now: float, limit: int = MAX_LIVE
    ) -> tuple[list[Issued], bool]:
        """Read the SVIDs that have not expired, those that end last first; say if there are more.

        The ledger has no index for most of this: it reads what has not expired once for each
        two thousand names.
        """

        def ask(connection: Connection) -> tuple[list[Issued], bool]:
            found = dict(_live(connection, wanted, now, limit))
            ordered = sorted(found.items(), key=lambda each: (-each[1].expires_at, each[0]))
            return [svid for _, svid in ordered[:limit]], len(ordered) > limit

        return await self._ask(ask)


def block_not_found(block_id: str) -> Refusal:
    """Say that there is no such block."""
    return Refusal(Kind.NOT_FOUND, "there is no such block", field="id", value=block_id[:80])


def _live(
    connection: Connection, wanted: Wanted, now: float, limit: int
) -> Iterator[tuple[int, Issued]]:
    named: tuple[tuple[Column[Any], Iterable[str], SvidKind | None], ...] = (
        (issued.c.spiffe_id, wanted.spiffe_ids, None),
        (issued.c.entry_id, wanted.entry_ids, None),
        (issued.c.agent_id, wanted.agent_ids, None),
        (issued.c.serial, wanted.serials, SvidKind.X509),
        (issued.c.serial, wanted.jtis, SvidKind.JWT),
    )
    for column, names, kind in named:
        for part in parts(sorted(names)):
            chosen = select(issued).where(issued.c.expires_at > int(now), column.in_(part))
            if kind is not None:
                chosen = chosen.where(issued.c.kind == kind.value)
            rows = connection.execute(chosen.order_by(issued.c.expires_at.desc()).limit(limit + 1))
            yield from ((row[0], read_issued(row)) for row in rows)


def _exists(block: Block) -> Refusal:
    return Refusal(
        Kind.EXISTS,
        f"this is blocked already, for as long or longer: {block.reason}",
        field="subject",
        value=block.id,
        remedy=f"to change it, unblock it first: finial unblock {block.id}",
    )


def _values(block: Block) -> dict[str, Any]:
    return {
        "id": block.id,
        "kind": block.kind.value,
        "subject": block.subject,
        "reason": block.reason,
        "since": block.since,
        "until": block.until,
        "who": block.who,
    }


def _block(row: RowMapping) -> Block:
    return Block(**{**row, "kind": SubjectKind(row["kind"])})
