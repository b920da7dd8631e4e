"""Telling open streams that something changed, at once but never too often (WAPI-12)."""

from collections.abc import Callable
from typing import Final

from agent.cache.view import Holdings
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch

BURST: Final = 5.0
SHORTEST: Final = 0.01
LONGEST: Final = 0.25
PER_STREAM: Final = 0.0001
"""Seconds of pause for each open stream: about what it costs to look at one again."""


async def publish(
    holdings: Watch[Holdings],
    published: Watch[Holdings],
    clock: Clock,
    streams: Callable[[], int],
) -> None:
    """Hand each change on, for ever; after a burst, several changes become one.

    The first changes go out at once, so that a new identity arrives and a lost one leaves within
    milliseconds. Then there is a pause after each, the longer the more streams there are: a
    thousand streams see at most ten changes a second, the last of them complete.
    """
    allowance, last = BURST, clock.monotonic()
    async for value in holdings.changes():
        if value is published.value:
            continue
        published.set(value)
        pause = min(max(SHORTEST, streams() * PER_STREAM), LONGEST)
        now = clock.monotonic()
        allowance = min(BURST, allowance + (now - last) / pause) - 1
        last = now
        if allowance < 1:
            await clock.sleep(pause)
