"""What an act that writes may use: the connection, and the list of what it changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select, update

from ca.datastore.columns import write_texts
from ca.datastore.engine.rows import RowsInsert
from ca.datastore.tables import changes, counters
from ca.registry.change import Topic
from finial.runtime.clock import Clock

_insert_changes = RowsInsert(changes)
_counter = counters.c.name == "changes"
_current = select(counters.c.value).where(_counter)
_advance = (
    update(counters)
    .where(_counter)
    .values(value=counters.c.value + bindparam("steps"))
    .returning(counters.c.value)
)


@dataclass(slots=True)
class Transaction:
    """One act's share of a group of writes that are committed together."""

    connection: Connection
    changed: list[tuple[Topic, tuple[str, ...]]] = field(default_factory=list)

    def note(self, topic: Topic, ids: Iterable[str]) -> None:
        """Say what this act changed; whoever follows the datastore is told after the commit."""
        touched = tuple(ids)
        if touched:
            self.changed.append((topic, touched))


def write_changes(
    connection: Connection, noted: list[tuple[Topic, tuple[str, ...]]], clock: Clock
) -> int:
    """Number what a group changed, just before its commit; return the last number.

    The counter's row stays locked until the commit, so that numbers are in commit order with
    several writing servers too (decision 17).
    """
    last = connection.execute(_advance, {"steps": len(noted)}).scalar_one()
    at = int(clock.now())
    rows = [
        (sequence, topic.value, write_texts(ids), at)
        for sequence, (topic, ids) in enumerate(noted, start=last - len(noted) + 1)
    ]
    _insert_changes.run(connection, rows)
    return int(last)


def current_sequence(connection: Connection) -> int:
    """Return the number of the last change that was ever made, 0 if there was none."""
    return int(connection.execute(_current).scalar_one())
