"""Whether the database can be written, found out by writing."""

from typing import Final

from sqlalchemy import insert, update

from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import facts

_NAME: Final = "probed_at"


class Probe(Subject):
    """The part of the datastore that answers whether it is well."""

    async def probe(self) -> float:
        """Write one row, always the same; return how many seconds it took until it was durable.

        Raises: Refusal of kind UNAVAILABLE.
        """
        begun, written = self._clock.monotonic(), str(int(self._clock.now()))

        def act(transaction: Transaction) -> None:
            changed = update(facts).where(facts.c.name == _NAME).values(value=written)
            if not transaction.connection.execute(changed).rowcount:
                transaction.connection.execute(insert(facts).values(name=_NAME, value=written))

        await self._write(act)
        return self._clock.monotonic() - begun
