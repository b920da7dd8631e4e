"""A server's own authorities, stored together with the bundle that publishes them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select

from ca.authority.slot import Phase, Slot, Use
from ca.datastore.bundles import store_own
from ca.datastore.columns import read_documents, write_documents
from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import authorities
from ca.registry.change import Topic
from finial.spiffe.bundle import Bundle


class Authorities(Subject):
    """The part of the datastore that keeps authorities, never their private keys."""

    async def load_keyring(self, server_id: str) -> tuple[Slot, ...]:
        """Read a server's slots, X.509 and JWT, in the order of their beginnings."""
        chosen = (
            select(authorities)
            .where(authorities.c.server_id == server_id)
            .order_by(authorities.c.use, authorities.c.not_before, authorities.c.authority_id)
        )
        rows = await self._ask(lambda connection: connection.execute(chosen).mappings().all())
        return tuple(map(_slot, rows))

    async def load_authorities(self) -> dict[str, tuple[Slot, ...]]:
        """Read the slots of all servers by the server's id."""
        chosen = select(authorities).order_by(
            authorities.c.server_id, authorities.c.use, authorities.c.not_before
        )
        rows = await self._ask(lambda connection: connection.execute(chosen).mappings().all())
        found: dict[str, tuple[Slot, ...]] = {}
        for row in rows:
            found[row["server_id"]] = (*found.get(row["server_id"], ()), _slot(row))
        return found

    async def save_authorities(
        self, server_id: str, slots: Sequence[Slot], bundle: Bundle
    ) -> Bundle:
        """Replace a server's slots and the own bundle in one transaction.

        `bundle.sequence` is that of the bundle from which this one was made, 0 if there was none.
        Returns the bundle as stored: its sequence one higher, unless nothing in it changed.

        Raises: Refusal of kind STALE when the stored bundle has moved on; nothing is stored then.
        """

        def act(transaction: Transaction) -> Bundle:
            stored = store_own(transaction, bundle)
            connection = transaction.connection
            connection.execute(delete(authorities).where(authorities.c.server_id == server_id))
            if slots:
                connection.execute(
                    insert(authorities), [_values(server_id, slot) for slot in slots]
                )
            transaction.note(Topic.AUTHORITIES, [server_id])
            return stored

        return await self._write(act)


def _values(server_id: str, slot: Slot) -> dict[str, Any]:
    return {
        "server_id": server_id,
        "use": slot.use.value,
        "authority_id": slot.authority_id,
        "phase": slot.phase.value,
        "key_id": slot.key_id,
        "document": slot.document,
        "not_before": slot.not_before,
        "not_after": slot.not_after,
        "chain": write_documents(slot.chain),
        "tainted": slot.tainted,
        "last_expiry": slot.last_expiry,
    }


def _slot(row: RowMapping) -> Slot:
    values = dict(row)
    del values["server_id"]
    return Slot(
        **{
            **values,
            "use": Use(values["use"]),
            "phase": Phase(values["phase"]),
            "chain": read_documents(values["chain"]),
        }
    )
