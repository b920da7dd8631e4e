"""What every subject of the datastore stands on: entries, nodes, tokens and so on."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from ca.datastore.engine.reader import Reader
from ca.datastore.engine.transaction import Transaction
from ca.datastore.engine.writer import Writer
from finial.runtime.clock import Clock
from finial.spiffe.identity import TrustDomain

T = TypeVar("T")


class Subject:
    """The writer and the readers of one database, whose own trust domain never changes.

    `before_write` is asked before each write and raises a Refusal if nothing may be done now.
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        clock: Clock,
        trust_domain: TrustDomain,
        before_write: Callable[[], None],
    ) -> None:
        self._before_write = before_write
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._trust_domain = trust_domain

    async def _write(self, act: Callable[[Transaction], T]) -> T:
        self._before_write()
        return await self._writer.run(act)

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        return await self._reader.ask(question)
