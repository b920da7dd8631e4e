"""Threads for what may never end, such as a question to a file server that hangs.

A thread that waits for ever cannot be taken back. So nobody has more than `PER_USER` of them: who
hangs those waits in a row with themselves, and everybody else goes on.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from finial.runtime.clock import Clock

T = TypeVar("T")

THREADS: Final = 16
PER_USER: Final = 2


class Threads:
    """Runs functions beside the event loop, `PER_USER` at a time for one user, or for nobody."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, "programs")
        self._turns: dict[int | None, tuple[asyncio.Semaphore, int]] = {}

    async def start(
        self, user: int | None, look: Callable[[], T], deadline: float
    ) -> "asyncio.Future[T]":
        """Begin as soon as the user has a thread left. Raises: TimeoutError."""
        turns = self._joined(user)
        try:
            async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0.0)):
                await turns.acquire()
        except BaseException:
            self._left(user)
            raise
        running = asyncio.get_running_loop().run_in_executor(self._pool, look)

        def ended(done: "asyncio.Future[T]") -> None:
            done.cancelled() or done.exception()  # seen, also if nobody waits any more
            turns.release()
            self._left(user)

        running.add_done_callback(ended)
        return running

    async def run(self, user: int | None, look: Callable[[], T], deadline: float) -> T:
        """Return what the function returns by the deadline. Raises: TimeoutError, what it does."""
        return await self.result(await self.start(user, look, deadline), deadline)

    async def result(self, running: "asyncio.Future[T]", deadline: float) -> T:
        """Wait for a result until the deadline. Raises: TimeoutError, what the function does."""
        seconds = max(deadline - self._clock.monotonic(), 0.0)
        done, _ = await asyncio.wait((running,), timeout=seconds)
        if not done:
            raise TimeoutError
        return running.result()

    def _joined(self, user: int | None) -> asyncio.Semaphore:
        turns, count = self._turns.get(user) or (asyncio.Semaphore(PER_USER), 0)
        self._turns[user] = (turns, count + 1)
        return turns

    def _left(self, user: int | None) -> None:
        turns, count = self._turns.pop(user)
        if count > 1:
            self._turns[user] = (turns, count - 1)
