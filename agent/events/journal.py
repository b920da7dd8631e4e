"""Where every act is recorded before it takes effect."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.events.happened import EntriesSynced, Event, members
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AuditLog(Protocol):
    """What keeps a record; it raises OSError where it cannot."""

    def write(self, record: Mapping[str, object]) -> None:
        """Keep one record."""
        ...


class Journal:
    """Tells what happened to the audit log first, then to everyone who observes."""

    def __init__(
        self, audit: AuditLog, clock: Clock, observers: Sequence[Callable[[Event], None]] = ()
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._observers = tuple(observers)

    def record(self, event: Event) -> None:
        """Record an event.

        Raises: Refusal of kind UNAVAILABLE if it cannot be audited; then it must not happen.
        """
        # A comparison that found nothing new is no act: it would fill the log with silence.
        if not isinstance(event, EntriesSynced) or event.changed:
            self._write(event)
        for observe in self._observers:
            observe(event)

    def _write(self, event: Event) -> None:
        record = {"time": self._instant(), "event": name(event), **members(event)}
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
