"""Tasks that a program lives by: restarted when they fail, ended in order.

1. A task that returns is done. One that raises is logged whole and started again after a back-off.
2. A task that has run for `STEADY` seconds starts again from the shortest delay.
3. A vital task is not restarted: what it raises ends `run`, and is raised there.
4. SIGTERM, SIGINT or `stop` ends `run` in order: tasks are cancelled, newest first.
   A second signal while they end is met by the default action, which is to die.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from finial.runtime.backoff import Backoff
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy

STEADY: Final = 60.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("finial.supervision")

Work = Callable[[], Awaitable[None]]


class Supervisor:
    """Keeps named tasks running until the program is to stop."""

    def __init__(self, clock: Clock, entropy: Entropy, backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._entropy = entropy
        self._backoff = backoff or Backoff()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._fatal: BaseException | None = None

    def start(self, name: str, work: Work) -> None:
        """Run a task, again and again if it fails."""
        self._spawn(name, self._restarting(name, work))

    def start_vital(
        self, name: str, work: Work, foreseen: tuple[type[Exception], ...] = ()
    ) -> None:
        """Run a task without which the program is not worth running.

        What it raises is logged whole, unless it is `foreseen`: such an end says why by itself.
        """
        self._spawn(name, self._vital(name, work, foreseen))

    def stop(self) -> None:
        """Begin to end."""
        self._stopping.set()

    @property
    def stopping(self) -> asyncio.Event:
        """Set once the program is to end."""
        return self._stopping

    async def run(self) -> None:
        """Wait for the signal to end, then end all tasks.

        Raises: whatever a vital task raised.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        try:
            await self._stopping.wait()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
            await self.end()
        if self._fatal is not None:
            raise self._fatal

    async def end(self) -> None:
        """Cancel all tasks, newest first, and wait for each."""
        self._stopping.set()
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _signalled(self, number: signal.Signals) -> None:
        _log.info("%s: stopping", number.name)
        self._stopping.set()

    def _spawn(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(coroutine, name=name))

    async def _vital(self, name: str, work: Work, foreseen: tuple[type[Exception], ...]) -> None:
        try:
            await work()
        except Exception as error:
            if not isinstance(error, foreseen):
                _log.exception("%s failed, and nothing goes on without it", name)
            self._fatal = error
            self._stopping.set()

    async def _restarting(self, name: str, work: Work) -> None:
        attempt = 0
        while True:
            begun = self._clock.monotonic()
            try:
                await work()
            except Exception:
                _log.exception("%s failed", name)
            else:
                return
            if self._clock.monotonic() - begun >= STEADY:
                attempt = 0
            chance = self._entropy.between(0.0, 1.0)
            await self._clock.sleep(self._backoff.delay(attempt, chance))
            attempt += 1
