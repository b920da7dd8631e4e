"""Where the hierarchies are mounted, looked up once a minute: a machine may have many mounts."""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from finial.runtime.clock import Clock

T = TypeVar("T")

REMEMBERED: Final = 60.0


class RecentMounts(Generic[T]):
    """Calls `look` when what it returned is older than `REMEMBERED` seconds, or was nothing."""

    def __init__(self, look: Callable[[], Sequence[T]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._until = 0.0
        self._found: Sequence[T] = ()

    def __call__(self) -> Sequence[T]:
        """Return the mounts. Raises: OSError."""
        now = self._clock.monotonic()
        if not self._found or now >= self._until:
            self._found = self._look()
            self._until = now + REMEMBERED
        return self._found
