"""Names of users and groups, looked up beside the event loop and remembered for a short time.

The user database may be a directory service far away: a lookup runs in a thread, at most
`THREADS` at a time, the same one for everyone who waits for the same name, and nobody waits longer
than their deadline. Whoever has many groups asks for a few at a time: others need not wait for all.
"""

import asyncio
import contextlib
import grp
import pwd
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from finial.runtime.clock import Clock

REMEMBERED: Final = 60.0
MAX_NAMES: Final = 4096
THREADS: Final = 2
MAX_ASKED: Final = 8

Lookup = Callable[[int], str | None]


def user_name(uid: int) -> str | None:
    """Return a user's name, or nothing if there is no such user or nobody to ask."""
    with contextlib.suppress(KeyError, OSError):
        return pwd.getpwuid(uid).pw_name
    return None


def group_name(gid: int) -> str | None:
    """Return a group's name, or nothing if there is no such group or nobody to ask."""
    with contextlib.suppress(KeyError, OSError):
        return grp.getgrgid(gid).gr_name
    return None


class AccountNames:
    """Remembers one kind of name for a minute, also that there is none."""

    def __init__(self, lookup: Lookup, clock: Clock) -> None:
        self._lookup = lookup
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, "account-names")
        self._known: OrderedDict[int, tuple[float, str | None]] = OrderedDict()
        self._asked: dict[int, asyncio.Future[str | None]] = {}

    def known(self, numbers: Iterable[int]) -> Mapping[int, str | None] | None:
        """Return the names if all of them are remembered, nothing otherwise."""
        now = self._clock.monotonic()
        found = {}
        for number in numbers:
            remembered = self._known.get(number)
            if remembered is None or remembered[0] <= now:
                return None
            found[number] = remembered[1]
        return found

    async def find(self, numbers: Iterable[int], seconds: float) -> Mapping[int, str | None]:
        """Return the names, waiting for those that are not remembered.

        A name that was not found within `seconds` is missing from the result.
        """
        until = self._clock.monotonic() + seconds
        asked: dict[int, asyncio.Future[str | None]] = {}
        waiting: set[asyncio.Future[str | None]] = set()
        for number in dict.fromkeys(numbers):
            if len(waiting) == MAX_ASKED:
                waiting = await self._still_waiting(waiting, until, asyncio.FIRST_COMPLETED)
            if len(waiting) == MAX_ASKED:
                break
            answer = asked[number] = self._ask(number)
            if not answer.done():
                waiting.add(answer)
        await self._still_waiting(waiting, until, asyncio.ALL_COMPLETED)
        return {number: each.result() for number, each in asked.items() if each.done()}

    async def _still_waiting(
        self, waiting: "set[asyncio.Future[str | None]]", until: float, for_what: str
    ) -> "set[asyncio.Future[str | None]]":
        """Return those that still wait when enough have answered, or the time is over."""
        if not waiting:
            return waiting
        left = max(until - self._clock.monotonic(), 0.0)
        _, still = await asyncio.wait(waiting, timeout=left, return_when=for_what)
        return still

    def _ask(self, number: int) -> "asyncio.Future[str | None]":
        loop = asyncio.get_running_loop()
        known = self.known((number,))
        if known is not None:
            answered = loop.create_future()
            answered.set_result(known[number])
            return answered
        if number not in self._asked:
            running = loop.run_in_executor(self._pool, self._lookup, number)
            self._asked[number] = running
            running.add_done_callback(lambda each: self._remember(number, each))
        return self._asked[number]

    def _remember(self, number: int, answer: "asyncio.Future[str | None]") -> None:
        self._asked.pop(number, None)
        if answer.cancelled() or answer.exception() is not None:
            return
        self._known[number] = (self._clock.monotonic() + REMEMBERED, answer.result())
        self._known.move_to_end(number)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
