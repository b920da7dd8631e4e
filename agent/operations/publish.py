"""Telling open streams that something changed, at once but never too often (WAPI-12)."""

from typing import Final

from agent.cache.view import Holdings
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch

BURST: Final = 5.0
PER_SECOND: Final = 10.0


async def publish(holdings: Watch[Holdings], published: Watch[Holdings], clock: Clock) -> None:
    """Hand each change on, for ever; after a burst, several changes become one.

    The first change goes out at once, so that a new identity arrives and a lost one leaves within
    milliseconds; a hundred changes in a second become about fifteen, the last of them complete.
    """
    allowance, last = BURST, clock.monotonic()
    async for value in holdings.changes():
        if value is published.value:
            continue
        published.set(value)
        now = clock.monotonic()
        allowance = min(BURST, allowance + (now - last) * PER_SECOND) - 1
        last = now
        if allowance < 1:
            await clock.sleep(1 / PER_SECOND)
