"""Registration entries."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from ca.datastore.columns import parts
from ca.datastore.engine.rows import RowsInsert
from ca.datastore.engine.transaction import Transaction
from ca.datastore.entry_rows import digest, read_all, read_by_ids, read_one, write_entry
from ca.datastore.subject import Subject
from ca.datastore.tables import bundles, entries, federations
from ca.registry.change import Topic
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal

_insert_entries = RowsInsert(entries)
_ids: BindParameter[str] = bindparam("ids", expanding=True)
_same_id = select(entries.c.id).where(entries.c.id.in_(_ids))
_digests: BindParameter[bytes] = bindparam("digests", expanding=True)
_same_digest = select(entries.c.id).where(entries.c.digest.in_(_digests))
_columns = tuple(column.name for column in entries.columns)


@dataclass(frozen=True, slots=True)
class Similar:
    """An entry was not made, because `existing` has the same parent, SPIFFE ID and selectors.

    With `same_id` it is different from what was asked for but for its id, which is taken.
    """

    existing: Entry
    same_id: bool = False


class Entries(Subject):
    """The part of the datastore that keeps registration entries."""

    async def create_entries(self, wanted: Sequence[Entry]) -> list[Entry | Similar]:
        """Create entries, judged before, in one transaction; answer each in its place.

        `created_at` is kept where it is set and is now otherwise.

        Raises: Refusal of kind INVALID when one federates with a trust domain of no known bundle.
        Spec: SPIRE BE-08, BE-11, BE-12.
        """
        now = self._clock.now()
        ready = [dated(each, now) for each in wanted]
        return await self._write(lambda transaction: create(transaction, ready))

    async def update_entry(
        self,
        entry_id: str,
        change: Callable[[Entry], Entry],
        *,
        expected_revision: int | None = None,
    ) -> Entry:
        """Replace an entry by what the pure function `change` makes of it, revision plus one.

        `change` runs in another thread. An entry that stays as it is keeps its revision, because
        agents take a new revision for a new SVID (SPIRE TR-08).

        Raises: Refusal of kind NOT_FOUND; STALE when the revision is not the expected one; EXISTS,
        its value being the other's id, when it would be similar to another; what `change` raises.
        """
        return await self._write(
            lambda transaction: _update(transaction, entry_id, change, expected_revision)
        )

    async def delete_entries(self, ids: Sequence[str]) -> list[bool]:
        """Delete entries in one transaction; say for each id whether it was there, once."""
        return await self._write(lambda transaction: delete_by_ids(transaction, ids))

    async def prune_expired_entries(self, now: float) -> list[Entry]:
        """Delete the entries that expired before `now`; return them (SPIRE BE-13)."""

        def prune(transaction: Transaction) -> list[Entry]:
            expired = select(entries.c.id).where(
                entries.c.expires_at > 0, entries.c.expires_at < int(now)
            )
            ids = transaction.connection.scalars(expired).all()
            found = read_by_ids(transaction.connection, ids)
            delete_by_ids(transaction, ids)
            return found

        return await self._write(prune)

    async def load_entries(self) -> list[Entry]:
        """Read all entries, in no order, equal parts of them shared.

        Whoever follows afterwards asks for `latest_sequence` before this and follows from there.
        """
        return await self._ask(read_all)

    async def entries_by_id(self, ids: Sequence[str]) -> list[Entry]:
        """Read the entries of those ids that are there, sorted by id."""
        return await self._ask(lambda connection: read_by_ids(connection, ids))

    async def entry(self, entry_id: str) -> Entry | None:
        """Read one entry."""
        return await self._ask(lambda connection: read_one(connection, entry_id))


def dated(entry: Entry, now: float) -> Entry:
    """Give an entry its time of creation where it has none."""
    return entry if entry.created_at else msgspec.structs.replace(entry, created_at=int(now))


def create(transaction: Transaction, wanted: Sequence[Entry]) -> list[Entry | Similar]:
    """Create entries in a transaction, as `Entries.create_entries` does."""
    connection = transaction.connection
    rows = [write_entry(each) for each in wanted]
    known = _existing(connection, rows)
    results: list[Entry | Similar] = []
    fresh: list[tuple[Any, ...]] = []
    created: list[Entry] = []
    for entry, row in zip(wanted, rows, strict=True):
        existing = known.similar(entry, row[1])
        results.append(existing or entry)
        if existing is None:
            known.add(entry, row[1])
            fresh.append(row)
            created.append(entry)
    _insert_entries.run(connection, fresh)
    _link(connection, created)
    transaction.note(Topic.ENTRIES, [each.id for each in created])
    return results


def delete_by_ids(transaction: Transaction, ids: Sequence[str]) -> list[bool]:
    """Delete entries in a transaction, as `Entries.delete_entries` does."""
    connection = transaction.connection
    there: set[str] = set()
    for part in parts(ids):
        there.update(connection.scalars(select(entries.c.id).where(entries.c.id.in_(part))))
        connection.execute(delete(entries).where(entries.c.id.in_(part)))
    transaction.note(Topic.ENTRIES, sorted(there))
    first = {id_: place for place, id_ in reversed(list(enumerate(ids)))}
    return [id_ in there and first[id_] == place for place, id_ in enumerate(ids)]


def rewrite(transaction: Transaction, entry: Entry) -> None:
    """Store an entry under its id, with the bundles it federates with."""
    connection = transaction.connection
    values = dict(zip(_columns, write_entry(entry), strict=True))
    connection.execute(update(entries).where(entries.c.id == entry.id).values(values))
    connection.execute(delete(federations).where(federations.c.entry_id == entry.id))
    _link(connection, [entry])
    transaction.note(Topic.ENTRIES, [entry.id])


class _Known:
    def __init__(self, stored: Iterable[Entry]) -> None:
        self._by_digest: dict[bytes, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        for entry in stored:
            self.add(entry, digest(entry))

    def add(self, entry: Entry, key: bytes) -> None:
        self._by_digest[key] = entry
        self._by_id[entry.id] = entry

    def similar(self, entry: Entry, key: bytes) -> Similar | None:
        if key in self._by_digest:
            return Similar(self._by_digest[key])
        if entry.id in self._by_id:
            return Similar(self._by_id[entry.id], same_id=True)
        return None


def _existing(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> _Known:
    ids: set[str] = set()
    for part in parts(rows):
        either = {"ids": [row[0] for row in part], "digests": [row[1] for row in part]}
        ids.update(connection.scalars(_same_id, either))
        ids.update(connection.scalars(_same_digest, either))
    return _Known(read_by_ids(connection, sorted(ids)) if ids else ())


def _link(connection: Connection, written: Sequence[Entry]) -> None:
    links = [
        {"entry_id": entry.id, "trust_domain": trust_domain.name}
        for entry in written
        for trust_domain in entry.federates_with
    ]
    if links:
        _require_bundles(connection, {link["trust_domain"] for link in links})
        connection.execute(insert(federations), links)


def _require_bundles(connection: Connection, names: set[str]) -> None:
    known = select(bundles.c.trust_domain).where(bundles.c.trust_domain.in_(names))
    missing = names.difference(connection.scalars(known))
    if missing:
        name = min(missing)
        raise Refusal(
            Kind.INVALID,
            f"no bundle of trust domain {name} is known",
            field="federates_with",
            value=name,
            remedy="store its bundle first",
        )


def _update(
    transaction: Transaction,
    entry_id: str,
    change: Callable[[Entry], Entry],
    expected_revision: int | None,
) -> Entry:
    before = read_one(transaction.connection, entry_id)
    if before is None:
        raise not_found(entry_id)
    if expected_revision not in {None, before.revision_number}:
        raise Refusal(
            Kind.STALE,
            f"the entry has revision {before.revision_number}, not {expected_revision}",
            field="revision_number",
            value=str(before.revision_number),
            remedy="read it again and repeat the change",
        )
    kept = {"id": entry_id, "created_at": before.created_at}
    same_revision = {"revision_number": before.revision_number}
    after = msgspec.structs.replace(change(before), **kept, **same_revision)
    if after == before:
        return before
    _refuse_similar(transaction.connection, after)
    after = msgspec.structs.replace(after, revision_number=before.revision_number + 1)
    rewrite(transaction, after)
    return after


def not_found(entry_id: str) -> Refusal:
    """Say that there is no such entry."""
    return Refusal(Kind.NOT_FOUND, "there is no such entry", field="id", value=entry_id[:255])


def _refuse_similar(connection: Connection, entry: Entry) -> None:
    other = select(entries.c.id).where(entries.c.digest == digest(entry), entries.c.id != entry.id)
    found = connection.scalars(other).first()
    if found is not None:
        raise Refusal(
            Kind.EXISTS,
            f"entry {found} has the same parent, SPIFFE ID and selectors",
            field="id",
            value=found,
        )


def aliases(connection: Connection, parent_id: SpiffeId) -> list[str]:
    """Return the ids of the aliases made for a node that joined by token (SPIRE BR-07, 7.26)."""
    column = f'["spiffe_id:{parent_id}"]'
    chosen = select(entries.c.id).where(
        entries.c.parent_id == str(parent_id), entries.c.selectors == column
    )
    return list(connection.scalars(chosen))


def federating_with(connection: Connection, trust_domain: TrustDomain) -> list[str]:
    """Return the ids of the entries that federate with a trust domain."""
    chosen = select(federations.c.entry_id).where(federations.c.trust_domain == trust_domain.name)
    return sorted(connection.scalars(chosen))
