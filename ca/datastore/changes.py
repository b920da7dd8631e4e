"""What changed, in commit order: the one way in which anything follows the datastore.

A follower asks for `latest_sequence`, loads what it needs, and then reads `changes_after` that
number whenever it is woken. What it loaded may be newer than the number, so it applies what it
reads by reading the named ids again, which may be done twice without harm. When `oldest_sequence`
is beyond the next one it needs, it fell behind and begins anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Integer, bindparam, delete, func, or_, select

from ca.datastore.columns import read_texts
from ca.datastore.engine.reader import Reader
from ca.datastore.engine.transaction import Transaction, current_sequence
from ca.datastore.engine.writer import Writer
from ca.datastore.entry_rows import read_by_ids
from ca.datastore.nodes import read_nodes
from ca.datastore.subject import Subject
from ca.datastore.tables import changes
from ca.registry.change import Change, Topic
from ca.registry.entry import Entry
from ca.registry.nodes.node import Node
from finial.runtime.clock import Clock
from finial.spiffe.identity import TrustDomain

KEPT_SECONDS: Final = 12 * 3600
KEPT_COUNT: Final = 100_000

_following = (
    select(changes.c.sequence, changes.c.topic, changes.c.ids)
    .where(changes.c.sequence > bindparam("after"))
    .order_by(changes.c.sequence)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class News:
    """Some changes, and the entries and nodes that they name as these are at that very moment."""

    changes: tuple[Change, ...]
    entries: tuple[Entry, ...]
    nodes: tuple[Node, ...]

    def ids(self, topic: Topic) -> tuple[str, ...]:
        """What of a topic changed, each id once."""
        found = (each.ids for each in self.changes if each.topic is topic)
        return tuple(dict.fromkeys(chain.from_iterable(found)))


class Changes(Subject):
    """The part of the datastore that says what changed."""

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        clock: Clock,
        trust_domain: TrustDomain,
        before_write: Callable[[], None],
    ) -> None:
        super().__init__(writer, reader, clock, trust_domain, before_write)
        self._committed_sequence = 0
        self._followers: dict[object, Callable[[int], None]] = {}

    @property
    def committed_sequence(self) -> int:
        """The number of the last change that was committed through this object.

        Right after an act of ours it is at least that act's: whoever waits until an index has
        applied it reads what was written.
        """
        return self._committed_sequence

    def on_commit(self, wake: Callable[[int], None]) -> Callable[[], None]:
        """Have `wake` called in the event loop, with the last number, after each commit here.

        It is called before the caller of the act is told, until the returned function is called.
        """
        token = object()
        self._followers[token] = wake

        def stop() -> None:
            self._followers.pop(token, None)

        return stop

    async def changes_after(self, sequence: int, limit: int = 1000) -> list[Change]:
        """Read at most `limit` changes after that number, in commit order."""
        asked = {"after": sequence, "limit": limit}
        return await self._ask(
            lambda connection: [_change(row) for row in connection.execute(_following, asked)]
        )

    async def news_after(self, sequence: int, limit: int = 1000) -> News:
        """Read at most `limit` changes after that number, with the entries and nodes they name."""
        asked = {"after": sequence, "limit": limit}

        def ask(connection: Connection) -> News:
            found = tuple(_change(row) for row in connection.execute(_following, asked))
            named = News(found, (), ())
            entries = read_by_ids(connection, named.ids(Topic.ENTRIES))
            nodes = read_nodes(connection, named.ids(Topic.NODES))
            return News(found, tuple(entries), tuple(nodes))

        return await self._ask(ask)

    async def latest_sequence(self) -> int:
        """Return the number of the last change of all, 0 before the first."""
        return await self._ask(current_sequence)

    async def oldest_sequence(self) -> int:
        """Return the number of the oldest change that is kept, or of the next one if none is."""

        def ask(connection: Connection) -> int:
            oldest = connection.execute(select(func.min(changes.c.sequence))).scalar_one()
            return current_sequence(connection) + 1 if oldest is None else int(oldest)

        return await self._ask(ask)

    async def prune_changes(
        self, now: float, keep_seconds: int = KEPT_SECONDS, keep_count: int = KEPT_COUNT
    ) -> int:
        """Forget the changes that are too old, and the oldest of too many; return how many."""

        def act(transaction: Transaction) -> int:
            connection = transaction.connection
            floor = current_sequence(connection) - keep_count
            old = or_(changes.c.at < int(now) - keep_seconds, changes.c.sequence <= floor)
            return connection.execute(delete(changes).where(old)).rowcount

        return await self._write(act)

    def _tell_followers(self, sequence: int) -> None:
        self._committed_sequence = sequence
        for wake in tuple(self._followers.values()):
            wake(sequence)


def _change(row: Sequence[Any]) -> Change:
    sequence, topic, ids = row
    return Change(sequence, Topic(topic), read_texts(ids))
