"""The datastore: values in, values out, and everything durable when it is awaited."""

import asyncio
from collections.abc import Callable
from typing import Self

from sqlalchemy import Connection, Engine, insert, inspect, select

from ca.datastore.api_tokens import ApiTokens
from ca.datastore.authorities import Authorities
from ca.datastore.blocks import Blocks
from ca.datastore.bundles import Bundles
from ca.datastore.changes import Changes
from ca.datastore.engine.connect import connect_readers, connect_writer
from ca.datastore.engine.failures import refusing
from ca.datastore.engine.reader import Reader
from ca.datastore.engine.writer import Writer
from ca.datastore.entries import Entries
from ca.datastore.join_tokens import JoinTokens
from ca.datastore.ledger import Ledger
from ca.datastore.migrations.migrate import migrate
from ca.datastore.nodes import Nodes
from ca.datastore.policies import Policies
from ca.datastore.probe import Probe
from ca.datastore.tables import facts
from ca.datastore.usage import Usage
from finial.runtime.clock import Clock
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal

_TRUST_DOMAIN = "trust_domain"


class Datastore(
    Entries,
    Nodes,
    JoinTokens,
    Authorities,
    Bundles,
    Ledger,
    Usage,
    ApiTokens,
    Blocks,
    Policies,
    Changes,
    Probe,
):
    """One database; its methods stand in a file for each subject.

    It belongs to the event loop that opened it. Every method may raise a Refusal of kind
    UNAVAILABLE, of which nothing is half done and which passes when its cause has.
    """

    def __init__(
        self,
        engines: tuple[Engine, Engine],
        clock: Clock,
        trust_domain: TrustDomain,
        before_write: Callable[[], None],
    ) -> None:
        writing, reading = engines
        writer = Writer(writing, clock, self._tell_followers)
        super().__init__(writer, Reader(reading), clock, trust_domain, before_write)
        self._engines = engines

    @classmethod
    async def open(
        cls,
        url: str,
        clock: Clock,
        trust_domain: TrustDomain,
        before_write: Callable[[], None] = lambda: None,
    ) -> Self:
        """Open a database such as `sqlite:////var/lib/finial/ca.sqlite`, made if it is missing.

        An older schema is brought to the present one first. `before_write` is asked before each
        write and raises a Refusal if nothing may be done now.

        Raises: Refusal of kind INVALID when the address is none; PRECONDITION when the database
        belongs to another trust domain or a newer program; UNAVAILABLE.
        """
        engines = connect_writer(url), connect_readers(url)
        try:
            await asyncio.to_thread(_prepare, engines[0], trust_domain)
        except BaseException:
            engines[0].dispose()
            raise
        return cls(engines, clock, trust_domain, before_write)

    async def close(self) -> None:
        """Finish the writes that are waiting and let go of the database."""
        await self._writer.close()
        await asyncio.to_thread(self._reader.close)
        for engine in self._engines:
            engine.dispose()


def _prepare(engine: Engine, trust_domain: TrustDomain) -> None:
    with refusing():
        with engine.begin() as connection:
            owner = _owner(connection)
        if owner not in {None, trust_domain.name}:
            raise Refusal(
                Kind.PRECONDITION,
                f"the database belongs to the trust domain {owner}, not {trust_domain.name}",
                field="trust_domain",
                value=trust_domain.name,
                remedy="correct the trust domain or name another database",
            )
        migrate(engine)
        if owner is None:
            with engine.begin() as connection:
                claim = insert(facts).values(name=_TRUST_DOMAIN, value=trust_domain.name)
                connection.execute(claim)


def _owner(connection: Connection) -> str | None:
    # Asked before anything is migrated: another's database is left as it is.
    if not inspect(connection).has_table(facts.name):
        return None
    chosen = select(facts.c.value).where(facts.c.name == _TRUST_DOMAIN)
    return connection.execute(chosen).scalar_one_or_none()
