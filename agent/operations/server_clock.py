"""How far the server's clock is from ours, as its heartbeats tell."""

from collections import deque
from itertools import pairwise
from typing import Final

_HEARD: Final = 12
_PAUSES: Final = 3
_SLACK: Final = 5.0


class ServerClock:
    """Compares the times that a server sends with ours on their arrival.

    A heartbeat that was on its way for long makes the server's clock look slow, never fast, so the
    greatest difference among the last ones is nearest to the truth.
    """

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=_HEARD)
        self._arrivals: deque[float] = deque(maxlen=_HEARD)

    def heard(self, sent_at_ms: int, now: float) -> None:
        """Note a heartbeat; 0 is that of a server which sends no time."""
        self._arrivals.append(now)
        if sent_at_ms > 0:
            self._differences.append(sent_at_ms / 1000 - now)

    def forget(self) -> None:
        """Begin anew, with another server or after a silence."""
        self._differences.clear()
        self._arrivals.clear()

    def silence(self, now: float) -> float:
        """For how many seconds the server has been silent, 0 if no longer than it uses to be."""
        arrivals = list(self._arrivals)
        pauses = [after - before for before, after in pairwise(arrivals)]
        if not pauses:
            return 0.0
        silent = now - arrivals[-1]
        return silent if silent > max(pauses) * _PAUSES + _SLACK else 0.0

    @property
    def offset(self) -> float | None:
        """By how many seconds the server's clock is ahead of ours; None before it was heard."""
        return max(self._differences, default=None)
