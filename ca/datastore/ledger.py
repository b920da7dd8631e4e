"""The ledger: every SVID that left the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, delete, select

from ca.datastore.engine.rows import RowsInsert
from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import issued
from ca.registry.issued import Issued, SvidKind
from finial.spiffe.refusal import Kind, Refusal

KEPT_AFTER_EXPIRY: Final = 24 * 3600
MAX_PAGE: Final = 1000
_PRUNED_AT_ONCE: Final = 500

insert_issued: Final = RowsInsert(issued)


@dataclass(frozen=True, slots=True)
class IssuedFilter:
    """Which SVIDs are looked for; empty texts and None let everything through.

    `expires_after` and `expires_before` are Unix seconds, neither included.
    """

    kind: SvidKind | None = None
    serial: str = ""
    spiffe_id: str = ""
    entry_id: str = ""
    agent_id: str = ""
    authority_id: str = ""
    expires_after: int | None = None
    expires_before: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedPage:
    """Some rows, the latest first; `next_page_token` is empty on the last page."""

    items: tuple[Issued, ...]
    next_page_token: str = ""


class Ledger(Subject):
    """The part of the datastore that remembers what was issued."""

    async def record_issued(self, batch: Sequence[Issued]) -> None:
        """Write down SVIDs; they may leave the server when this returns, and not before.

        Raises: Refusal of kind UNAVAILABLE.
        """
        if batch:
            await self._writer.append(insert_issued, [write_issued(each) for each in batch])

    async def list_issued(
        self, wanted: IssuedFilter, page_size: int = MAX_PAGE, page_token: str = ""
    ) -> IssuedPage:
        """Read a page of at most `page_size` (1 to 1000) rows, the latest first.

        What is issued meanwhile does not move the pages.

        Raises: Refusal of kind INVALID when the page token is none of ours.
        """
        size = min(max(page_size, 1), MAX_PAGE)
        chosen = _where(select(issued), wanted).order_by(issued.c.number.desc()).limit(size + 1)
        if page_token:
            chosen = chosen.where(issued.c.number < _read_token(page_token))
        rows = await self._ask(lambda connection: connection.execute(chosen).all())
        items = tuple(read_issued(row) for row in rows[:size])
        return IssuedPage(items, str(rows[size - 1].number) if len(rows) > size else "")

    async def prune_issued(self, now: float) -> int:
        """Forget the SVIDs that expired more than a day before `now`; return how many."""
        limit = int(now) - KEPT_AFTER_EXPIRY
        oldest = select(issued.c.number).where(issued.c.expires_at < limit).limit(_PRUNED_AT_ONCE)
        statement = delete(issued).where(issued.c.number.in_(oldest))

        def act(transaction: Transaction) -> int:
            return transaction.connection.execute(statement).rowcount

        total = 0
        # In portions, so that whoever waits for a signature does not wait for the broom.
        while removed := await self._write(act):
            total += removed
        return total


def write_issued(svid: Issued) -> tuple[Any, ...]:
    """Write a row of the table `issued`."""
    return (
        svid.kind.value,
        svid.serial,
        svid.spiffe_id,
        svid.authority_id,
        svid.issued_at,
        svid.expires_at,
        svid.entry_id,
        svid.agent_id,
    )


def read_issued(row: Sequence[Any]) -> Issued:
    """Read a row of the table `issued`."""
    _, kind, *rest = row
    return Issued(SvidKind(kind), *rest)


def _where(chosen: Select[Any], wanted: IssuedFilter) -> Select[Any]:
    exact = {
        issued.c.kind: wanted.kind.value if wanted.kind else "",
        issued.c.serial: wanted.serial,
        issued.c.spiffe_id: wanted.spiffe_id,
        issued.c.entry_id: wanted.entry_id,
        issued.c.agent_id: wanted.agent_id,
        issued.c.authority_id: wanted.authority_id,
    }
    chosen = chosen.where(*(column == value for column, value in exact.items() if value))
    if wanted.expires_after is not None:
        chosen = chosen.where(issued.c.expires_at > wanted.expires_after)
    if wanted.expires_before is not None:
        chosen = chosen.where(issued.c.expires_at < wanted.expires_before)
    return chosen


def _read_token(page_token: str) -> int:
    if page_token.isascii() and page_token.isdigit() and len(page_token) <= 18:
        return int(page_token)
    raise Refusal(
        Kind.INVALID,
        "the page token is not one that this server gave",
        field="page_token",
        value=page_token[:40],
        remedy="begin with the first page",
    )
