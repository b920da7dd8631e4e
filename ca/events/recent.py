"""What was refused lately because too much was asked for: a bounded memory of one hour."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from ca.events.happened import CallRefused, Event
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind
from finial.wire.network import network_of

MINUTES: Final = 60
MOST_PAIRS: Final = 256
Pair = tuple[str, str]
"""A method and who called it: an agent, or a network."""


class Exhaustion:
    """Counts refusals of kind EXHAUSTED by method and caller, minute by minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: deque[tuple[int, Counter[Pair]]] = deque(maxlen=MINUTES)

    def observe(self, event: Event) -> None:
        """Count an event, if it is one of those."""
        if not isinstance(event, CallRefused) or event.refusal.kind is not Kind.EXHAUSTED:
            return
        minute = int(self._clock.monotonic() // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, Counter()))
        counted = self._minutes[-1][1]
        pair = (event.method[:120], event.who.id or _network(event.who.address))
        if pair in counted or len(counted) < MOST_PAIRS:
            counted[pair] += 1

    def last_hour(self) -> Mapping[Pair, int]:
        """How often it happened in the last hour, the most frequent first."""
        oldest = self._clock.monotonic() // 60 - MINUTES
        total: Counter[Pair] = Counter()
        for minute, counted in self._minutes:
            if minute > oldest:
                total.update(counted)
        return dict(total.most_common())


def _network(address: str) -> str:
    return str(network_of(address)) if address else ""
