"""How far the server's clock is from ours, as its heartbeats tell."""

from collections import deque
from typing import Final

_HEARD: Final = 12


class ServerClock:
    """Compares the times that a server sends with ours on their arrival.

    A heartbeat that was on its way for long makes the server's clock look slow, never fast, so the
    greatest difference among the last ones is nearest to the truth.
    """

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=_HEARD)

    def heard(self, sent_at_ms: int, now: float) -> None:
        """Note a heartbeat; 0 is that of a server which sends no time."""
        if sent_at_ms > 0:
            self._differences.append(sent_at_ms / 1000 - now)

    def forget(self) -> None:
        """Begin anew, with another server or after a silence."""
        self._differences.clear()

    @property
    def offset(self) -> float | None:
        """By how many seconds the server's clock is ahead of ours; None before it was heard."""
        return max(self._differences, default=None)
