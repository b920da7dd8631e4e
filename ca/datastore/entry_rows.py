"""A registration entry as a row, and back, sharing whatever entries have in common."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, select

from ca.datastore.columns import (
    AT_ONCE,
    parts,
    read_pairs,
    read_texts,
    selector,
    write_pairs,
    write_selectors,
    write_texts,
)
from ca.datastore.tables import entries, federations
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector

_ids: BindParameter[str] = bindparam("ids", expanding=True)
_entries_of = select(entries).where(entries.c.id.in_(_ids)).order_by(entries.c.id)
_links_of = select(federations).where(federations.c.entry_id.in_(_ids))
_selector_texts = msgspec.json.Decoder(list[str])


def digest(entry: Entry) -> bytes:
    """Return what two entries share that are the same but for their id (SPIRE BE-11)."""
    selectors = sorted({str(each) for each in entry.selectors})
    told_apart_by = [str(entry.parent_id), str(entry.spiffe_id), *selectors]
    return sha256(msgspec.json.encode(told_apart_by)).digest()


def write_entry(entry: Entry) -> tuple[Any, ...]:
    """Write an entry as a row of the table `entries`, without the bundles it federates with."""
    return (
        entry.id,
        digest(entry),
        str(entry.spiffe_id),
        str(entry.parent_id),
        write_selectors(entry.selectors),
        entry.x509_svid_ttl,
        entry.jwt_svid_ttl,
        entry.admin,
        entry.downstream,
        entry.store_svid,
        entry.expires_at,
        write_texts(entry.dns_names) if entry.dns_names else "",
        entry.hint,
        entry.disable_x509_svid_prefetch,
        entry.jwt_svid_include_jti,
        write_pairs(entry.attributes) if entry.attributes else "",
        entry.revision_number,
        entry.created_at,
    )


class EntryReader:
    """Reads rows; equal trust domains, parents and selectors become one object."""

    def __init__(self, federated: Mapping[str, Sequence[str]]) -> None:
        self._federated = federated
        self._domains: dict[str, TrustDomain] = {}
        self._parents: dict[str, SpiffeId] = {}
        self._selectors: dict[str, Selector] = {}
        self._selector_lists: dict[str, tuple[Selector, ...]] = {}

    def read(self, row: Sequence[Any]) -> Entry:
        """Read one row of the table `entries`, selected whole."""
        (
            entry_id, _, spiffe_id, parent_id, selectors, x509_svid_ttl, jwt_svid_ttl,
            admin, downstream, store_svid, expires_at, dns_names, hint,
            disable_x509_svid_prefetch, jwt_svid_include_jti, attributes,
            revision_number, created_at,
        ) = row  # fmt: skip
        return Entry(
            id=entry_id,
            spiffe_id=self._id(spiffe_id),
            parent_id=self._parents.get(parent_id) or self._parent(parent_id),
            selectors=self._selector_lists.get(selectors) or self._selector_list(selectors),
            x509_svid_ttl=x509_svid_ttl,
            jwt_svid_ttl=jwt_svid_ttl,
            federates_with=self._federates_with(entry_id) if self._federated else (),
            admin=admin,
            downstream=downstream,
            store_svid=store_svid,
            expires_at=expires_at,
            dns_names=read_texts(dns_names) if dns_names else (),
            hint=hint,
            disable_x509_svid_prefetch=disable_x509_svid_prefetch,
            jwt_svid_include_jti=jwt_svid_include_jti,
            attributes=read_pairs(attributes) if attributes else (),
            revision_number=revision_number,
            created_at=created_at,
        )

    def _id(self, text: str) -> SpiffeId:
        # Judged when it was written: "spiffe://", a name, and a path that keeps its slash.
        name, slash, path = text[9:].partition("/")
        return SpiffeId(self._domain(name), slash + path)

    def _domain(self, name: str) -> TrustDomain:
        return self._domains.get(name) or self._domains.setdefault(name, TrustDomain(name))

    def _parent(self, text: str) -> SpiffeId:
        return self._parents.setdefault(text, self._id(text))

    def _selector_list(self, column: str) -> tuple[Selector, ...]:
        texts = _selector_texts.decode(column)
        read = tuple(self._selectors.get(text) or self._selector(text) for text in texts)
        return self._selector_lists.setdefault(column, read)

    def _selector(self, text: str) -> Selector:
        return self._selectors.setdefault(text, selector(text))

    def _federates_with(self, entry_id: str) -> tuple[TrustDomain, ...]:
        return tuple(self._domain(name) for name in self._federated.get(entry_id, ()))


def read_all(connection: Connection) -> list[Entry]:
    """Read every entry, in no order."""
    federated = _federated(connection.execute(select(federations)))
    reader = EntryReader(federated)
    found = connection.execution_options(stream_results=True).execute(select(entries))
    return [reader.read(row) for batch in found.partitions(AT_ONCE) for row in batch]


def read_by_ids(connection: Connection, ids: Sequence[str]) -> list[Entry]:
    """Read the entries of those ids that are there, sorted by id."""
    found: list[Entry] = []
    for part in parts(sorted(set(ids))):
        reader = EntryReader(_federated(connection.execute(_links_of, {"ids": part})))
        found += [reader.read(row) for row in connection.execute(_entries_of, {"ids": part})]
    return found


def read_one(connection: Connection, entry_id: str) -> Entry | None:
    """Read one entry."""
    return next(iter(read_by_ids(connection, (entry_id,))), None)


def _federated(rows: Any) -> dict[str, list[str]]:
    federated: dict[str, list[str]] = {}
    for entry_id, trust_domain in sorted(map(tuple, rows)):
        federated.setdefault(entry_id, []).append(trust_domain)
    return federated
