"""Bundles: the own one and those of trust domains that are federated with."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from ca.datastore.engine.transaction import Transaction
from ca.datastore.entries import delete_by_ids, federating_with, rewrite
from ca.datastore.entry_rows import read_by_ids
from ca.datastore.subject import Subject
from ca.datastore.tables import bundles
from ca.registry.change import Topic
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal


class DeleteMode(enum.Enum):
    """What becomes of the entries that federate with a bundle that is deleted."""

    RESTRICT = "restrict"
    DELETE = "delete"
    DISSOCIATE = "dissociate"


class _Authorities(msgspec.Struct, frozen=True):
    x509: tuple[X509Authority, ...]
    jwt: tuple[JwtAuthority, ...]


_decoder = msgspec.json.Decoder(_Authorities)


class Bundles(Subject):
    """The part of the datastore that keeps bundles."""

    async def bundle(self, trust_domain: TrustDomain | None = None) -> Bundle | None:
        """Read the bundle of a trust domain, the own one unless one is named."""
        name = trust_domain or self._trust_domain
        return await self._ask(lambda connection: read_bundle(connection, name))

    async def load_bundles(self) -> dict[TrustDomain, Bundle]:
        """Read all bundles, the own one among them."""
        chosen = select(bundles).order_by(bundles.c.trust_domain)
        rows = await self._ask(lambda connection: connection.execute(chosen).all())
        return {found.trust_domain: found for found in map(_bundle, rows)}

    async def update_bundle(self, change: Callable[[Bundle], Bundle]) -> Bundle:
        """Replace the own bundle by what the pure function `change` makes of it.

        `change` runs in another thread, and is given an empty bundle before there is one. The
        sequence grows by one, unless nothing else changed.

        Raises: what `change` raises.
        """

        def act(transaction: Transaction) -> Bundle:
            before = read_bundle(transaction.connection, self._trust_domain)
            before = before or Bundle(self._trust_domain)
            return store_own(transaction, replace(change(before), sequence=before.sequence))

        return await self._write(act)

    async def create_federated_bundle(self, bundle: Bundle) -> Bundle:
        """Store the bundle of another trust domain, of which there is none.

        Raises: Refusal of kind EXISTS; INVALID when it is the own trust domain's.
        """

        def act(transaction: Transaction) -> Bundle:
            if read_bundle(transaction.connection, bundle.trust_domain) is not None:
                raise Refusal(Kind.EXISTS, "bundle already exists", value=bundle.trust_domain.name)
            return _store(transaction, bundle)

        self._refuse_own(bundle.trust_domain)
        return await self._write(act)

    async def update_federated_bundle(
        self, trust_domain: TrustDomain, change: Callable[[Bundle], Bundle]
    ) -> Bundle:
        """Replace another trust domain's bundle by what `change`, run in a thread, makes of it.

        Raises: Refusal of kind NOT_FOUND; INVALID when it is the own trust domain's; what
        `change` raises.
        """

        def act(transaction: Transaction) -> Bundle:
            before = read_bundle(transaction.connection, trust_domain)
            if before is None:
                raise _not_found(trust_domain)
            return _store(transaction, change(before))

        self._refuse_own(trust_domain)
        return await self._write(act)

    async def set_federated_bundle(self, bundle: Bundle) -> Bundle:
        """Store the bundle of another trust domain, whether there was one or not.

        Raises: Refusal of kind INVALID when it is the own trust domain's.
        """
        self._refuse_own(bundle.trust_domain)
        return await self._write(lambda transaction: _store(transaction, bundle))

    async def delete_federated_bundle(self, trust_domain: TrustDomain, mode: DeleteMode) -> None:
        """Forget another trust domain's bundle; `mode` says what its entries go through.

        Raises: Refusal of kind NOT_FOUND; PRECONDITION in mode RESTRICT while entries federate
        with it; INVALID when it is the own trust domain's.
        """

        def act(transaction: Transaction) -> None:
            if read_bundle(transaction.connection, trust_domain) is None:
                raise _not_found(trust_domain)
            _part(transaction, trust_domain, mode)
            chosen = delete(bundles).where(bundles.c.trust_domain == trust_domain.name)
            transaction.connection.execute(chosen)
            transaction.note(Topic.FEDERATION, [trust_domain.name])

        self._refuse_own(trust_domain)
        await self._write(act)

    def _refuse_own(self, trust_domain: TrustDomain) -> None:
        if trust_domain == self._trust_domain:
            raise Refusal(
                Kind.INVALID,
                "the server's own trust domain cannot be federated with",
                field="trust_domain",
                value=trust_domain.name,
            )


def read_bundle(connection: Connection, trust_domain: TrustDomain) -> Bundle | None:
    """Read one bundle."""
    chosen = select(bundles).where(bundles.c.trust_domain == trust_domain.name)
    row = connection.execute(chosen).one_or_none()
    return None if row is None else _bundle(row)


def store_own(transaction: Transaction, bundle: Bundle) -> Bundle:
    """Store the own bundle, which was made from the one with its sequence; return it advanced.

    The condition stands in the statement, so that of two servers one has to read again.

    Raises: Refusal of kind STALE when the stored one has moved on.
    """
    connection = transaction.connection
    before = read_bundle(connection, bundle.trust_domain)
    if before == bundle:
        return bundle
    after = replace(bundle, sequence=bundle.sequence + 1)
    if before is None and bundle.sequence == 0:
        connection.execute(insert(bundles).values(_values(after)))
    else:
        unmoved = (
            bundles.c.trust_domain == bundle.trust_domain.name,
            bundles.c.sequence == bundle.sequence,
        )
        if connection.execute(update(bundles).where(*unmoved).values(_values(after))).rowcount != 1:
            raise Refusal(
                Kind.STALE,
                f"the bundle has moved on since sequence {bundle.sequence}",
                field="sequence",
                value=str(before.sequence if before else 0),
                remedy="read it again and repeat the change",
            )
    transaction.note(Topic.BUNDLE, [bundle.trust_domain.name])
    return after


def _store(transaction: Transaction, bundle: Bundle) -> Bundle:
    connection = transaction.connection
    before = read_bundle(connection, bundle.trust_domain)
    if before == bundle:
        return bundle
    if before is None:
        connection.execute(insert(bundles).values(_values(bundle)))
    else:
        chosen = bundles.c.trust_domain == bundle.trust_domain.name
        connection.execute(update(bundles).where(chosen).values(_values(bundle)))
    transaction.note(Topic.FEDERATION, [bundle.trust_domain.name])
    return bundle


def _part(transaction: Transaction, trust_domain: TrustDomain, mode: DeleteMode) -> None:
    ids = federating_with(transaction.connection, trust_domain)
    if not ids or mode is DeleteMode.DELETE:
        delete_by_ids(transaction, ids)
        return
    if mode is DeleteMode.RESTRICT:
        raise Refusal(
            Kind.PRECONDITION,
            f"cannot delete bundle; federated with {len(ids)} registration entries",
            field="trust_domain",
            value=trust_domain.name,
            remedy="delete or dissociate them",
        )
    for entry in read_by_ids(transaction.connection, ids):
        kept = tuple(each for each in entry.federates_with if each != trust_domain)
        revision = entry.revision_number + 1
        rewrite(
            transaction,
            msgspec.structs.replace(entry, federates_with=kept, revision_number=revision),
        )


def _values(bundle: Bundle) -> dict[str, Any]:
    document = _Authorities(bundle.x509_authorities, bundle.jwt_authorities)
    return {
        "trust_domain": bundle.trust_domain.name,
        "document": msgspec.json.encode(document).decode(),
        "sequence": bundle.sequence,
        "refresh_hint": bundle.refresh_hint,
    }


def _bundle(row: Sequence[Any]) -> Bundle:
    trust_domain, document, sequence, refresh_hint = row
    read = _decoder.decode(document)
    return Bundle(TrustDomain(trust_domain), read.x509, read.jwt, sequence, refresh_hint)


def _not_found(trust_domain: TrustDomain) -> Refusal:
    return Refusal(
        Kind.NOT_FOUND, "bundle not found", field="trust_domain", value=trust_domain.name
    )
