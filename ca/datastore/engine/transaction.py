"""What an act that writes may use: the connection, and the list of what it changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from ca.datastore.columns import write_texts
from ca.datastore.tables import changes, counters
from ca.registry.change import Topic
from finial.runtime.clock import Clock

_COUNTER = "changes"


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
    step = update(counters).where(counters.c.name == _COUNTER)
    found = connection.execute(step.values(value=counters.c.value + len(noted)))
    if found.rowcount == 0:
        connection.execute(insert(counters).values(name=_COUNTER, value=len(noted)))
    last = current_sequence(connection)
    at = int(clock.now())
    rows = [
        {"sequence": sequence, "topic": topic.value, "ids": write_texts(ids), "at": at}
        for sequence, (topic, ids) in enumerate(noted, start=last - len(noted) + 1)
    ]
    connection.execute(insert(changes), rows)
    return last


def current_sequence(connection: Connection) -> int:
    """Return the number of the last change that was ever made, 0 if there was none."""
    question = select(counters.c.value).where(counters.c.name == _COUNTER)
    return connection.execute(question).scalar_one_or_none() or 0
