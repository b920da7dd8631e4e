"""What happened is told here: first to the audit log, then to whoever observes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar

from finial.runtime.clock import Clock

E = TypeVar("E")

Record = Mapping[str, object]

REPEATED_WITHIN: Final = 1.0
MAX_REMEMBERED: Final = 4096
MOST_OF_A_CROWD: Final = 100
"""Lines about different ones of a crowd within a second."""


class Audit(Protocol):
    """What keeps records; it raises OSError where it cannot."""

    def write_all(self, records: Iterable[Record]) -> None:
        """Keep all records, or none of them."""
        ...

    def check_room(self) -> None:
        """See that there is room for more."""
        ...


@dataclass(slots=True)
class _Recent:
    """When something was written last, and how often it happened since."""

    at: float
    unwritten: int = 0


class Journal(Generic[E]):
    """Records the events of one program.

    `render` makes the audit log's records of an event, `unaudited` the exception that says an act
    is refused because the log cannot be written. Observers refuse nothing and raise nothing.
    """

    def __init__(
        self,
        audit: Audit,
        clock: Clock,
        render: Callable[[E], Iterable[Record]],
        unaudited: Callable[[OSError], Exception],
        observers: Sequence[Callable[[E], None]] = (),
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._render = render
        self._unaudited = unaudited
        self._observers = tuple(observers)
        self._recent: OrderedDict[Hashable, _Recent] = OrderedDict()
        self._second = 0.0
        self._crowds: dict[Hashable, set[Hashable]] = {}

    def check(self) -> None:
        """See, before an act has effects, that it can be recorded afterwards.

        Raises: what `unaudited` makes, when the audit log is full.
        """
        try:
            self._audit.check_room()
        except OSError as error:
            raise self._unaudited(error) from error

    def record(self, *events: E) -> None:
        """Record what happened in one act, with one write, before the act is acknowledged.

        Raises: what `unaudited` makes, when the audit log cannot be written; nobody is told then.
        """
        self._write(events, {})
        self._tell(events)

    def record_repeatable(self, event: E, key: Hashable, crowd: Hashable | None = None) -> None:
        """Record what anybody may cause as often as they like, so that it cannot fill the disk.

        Events of one key within a second are one line; the next line says how many were left out.
        Where keys, too, can be made at will they belong to a `crowd`: of different ones within a
        second the first 100 have their lines, and all others share one.

        Raises: what `unaudited` makes, when the audit log cannot be written; nobody is told then.
        """
        now = self._clock.monotonic()
        if crowd is not None and not self._stands_out(key, crowd, now):
            key = crowd
        recent = self._recent.get(key)
        if recent is not None and now - recent.at < REPEATED_WITHIN:
            recent.unwritten += 1
        else:
            left_out = recent.unwritten if recent is not None else 0
            self._write((event,), {"repeated": left_out} if left_out else {})
            self._remember(key, now)
        self._tell((event,))

    def _stands_out(self, key: Hashable, crowd: Hashable, now: float) -> bool:
        if now // REPEATED_WITHIN != self._second:
            self._second = now // REPEATED_WITHIN
            self._crowds.clear()
        told = self._crowds.setdefault(crowd, set())
        if len(told) < MOST_OF_A_CROWD:
            told.add(key)
        return key in told

    def _remember(self, key: Hashable, now: float) -> None:
        self._recent[key] = _Recent(now)
        self._recent.move_to_end(key)
        if len(self._recent) > MAX_REMEMBERED:
            self._recent.popitem(last=False)

    def _tell(self, events: Sequence[E]) -> None:
        for event in events:
            for observe in self._observers:
                observe(event)

    def _write(self, events: Sequence[E], more: Record) -> None:
        time = {"time": instant(self._clock.now())}
        records = [{**time, **each, **more} for event in events for each in self._render(event)]
        if not records:
            return
        try:
            self._audit.write_all(records)
        except OSError as error:
            raise self._unaudited(error) from error


def instant(now: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
