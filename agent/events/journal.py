"""Where every act is recorded before it takes effect."""

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.events.happened import EntriesSynced, Event, members
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

REPEATED_WITHIN: Final = 1.0
MAX_REMEMBERED: Final = 4096
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AuditLog(Protocol):
    """What keeps a record; it raises OSError where it cannot."""

    def write(self, record: Mapping[str, object]) -> None:
        """Keep one record."""
        ...


@dataclass(slots=True)
class _Recent:
    """When something was written last, and how often it happened since."""

    at: float
    unwritten: int = 0


class Journal:
    """Tells what happened to the audit log first, then to everyone who observes."""

    def __init__(
        self, audit: AuditLog, clock: Clock, observers: Sequence[Callable[[Event], None]] = ()
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._observers = tuple(observers)
        self._recent: OrderedDict[Hashable, _Recent] = OrderedDict()

    def record(self, event: Event) -> None:
        """Record an event.

        Raises: Refusal of kind UNAVAILABLE if it cannot be audited; then it must not happen.
        """
        # A comparison that found nothing new is no act: it would fill the log with silence.
        if not isinstance(event, EntriesSynced) or event.changed:
            self._write(event, {})
        self._tell(event)

    def record_repeatable(self, event: Event, key: Hashable) -> None:
        """Record what any process may cause as often as it likes, so that it cannot fill the disk.

        Events of one key within a second are one line; the next line says how many were left out.

        Raises: Refusal of kind UNAVAILABLE if it cannot be audited.
        """
        now = self._clock.monotonic()
        recent = self._recent.get(key)
        if recent is not None and now - recent.at < REPEATED_WITHIN:
            recent.unwritten += 1
        else:
            left_out = recent.unwritten if recent is not None else 0
            self._write(event, {"repeated": left_out} if left_out else {})
            self._recent[key] = _Recent(now)
            self._recent.move_to_end(key)
            if len(self._recent) > MAX_REMEMBERED:
                self._recent.popitem(last=False)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        for observe in self._observers:
            observe(event)

    def _write(self, event: Event, more: Mapping[str, object]) -> None:
        record = {"time": self._instant(), "event": name(event), **members(event), **more}
        try:
            self._audit.write(record)
        except OSError as error:
            raise Refusal(
                Kind.UNAVAILABLE, "this cannot be audited, so it is not done", remedy=str(error)
            ) from error

    def _instant(self) -> str:
        instant = datetime.fromtimestamp(self._clock.now(), UTC)
        return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def name(event: Event) -> str:
    """The event's name in the log, such as `node attested`."""
    return _WORD.sub(" ", type(event).__name__).lower()
