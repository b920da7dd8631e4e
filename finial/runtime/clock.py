"""The only reader of time: deciding uses the wall clock, sleeping the monotonic one."""

import asyncio
import time
from typing import Final, Protocol

LONGEST_SLEEP: Final = 60.0


class Clock(Protocol):
    """What the programs ask for the time; tests give a clock that stands still."""

    def now(self) -> float:
        """The wall clock, in seconds since 1970 (UTC)."""
        ...

    def monotonic(self) -> float:
        """A clock in seconds that never goes back and tells nothing of the date."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long, or a minute if that is shorter, so that a suspended machine heals."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """The wall clock, in seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """A clock in seconds that never goes back and tells nothing of the date."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long, or a minute if that is shorter, so that a suspended machine heals."""
        await asyncio.sleep(min(max(seconds, 0.0), LONGEST_SLEEP))
