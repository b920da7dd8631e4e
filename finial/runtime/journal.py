"""What happened is told here: first to the audit log, then to whoever observes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from finial.runtime.clock import Clock

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)

Record = Mapping[str, object]


class Audit(Protocol):
    """What keeps records; it raises OSError where it cannot."""

    def write_all(self, records: Iterable[Record]) -> None:
        """Keep all records, or none of them."""
        ...


class Observer(Protocol[E_contra]):
    """Whoever is told what happened after it was audited; refuses nothing and raises nothing."""

    def observe(self, event: E_contra) -> None:
        """Take note of an event."""
        ...


class Journal(Generic[E]):
    """Records the events of one program.

    `render` makes the audit log's records of an event, `unaudited` the exception that says an act
    is refused because the log cannot be written.
    """

    def __init__(
        self,
        audit: Audit,
        clock: Clock,
        render: Callable[[E], Iterable[Record]],
        unaudited: Callable[[OSError], Exception],
        observers: Sequence[Observer[E]] = (),
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._render = render
        self._unaudited = unaudited
        self._observers = tuple(observers)

    def record(self, *events: E) -> None:
        """Record what happened in one act, with one write, before the act is acknowledged.

        Raises: what `unaudited` makes, when the audit log cannot be written; nobody is told then.
        """
        time = instant(self._clock.now())
        records = [{"time": time, **record} for event in events for record in self._render(event)]
        if records:
            self._write(records)
        for event in events:
            for observer in self._observers:
                observer.observe(event)

    def _write(self, records: Iterable[Record]) -> None:
        try:
            self._audit.write_all(records)
        except OSError as error:
            raise self._unaudited(error) from error


def instant(now: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
