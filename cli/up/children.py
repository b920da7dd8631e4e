"""The two processes: started side by side, watched, started again, stopped in order.

1. Both are started at once and load their programs; the agent waits for the word until the server
   is ready.
2. A process that ends without being asked to is announced and started again, after a pause that
   doubles from 0.2 to 5 seconds and is forgotten once it has lived for a minute.
3. Each has a session of its own, so that Ctrl-C reaches us alone and they are stopped in order.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

READY_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 10.0
SHORTEST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
STEADY_SECONDS: Final = 60.0

Ready = dict[str, Any]


class Child:
    """One of the two programs, through all the processes that run it."""

    def __init__(
        self, program: str, config: Path, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.program = program
        self._config = config
        self._clock = clock
        self._say = say
        self._process: Process | None = None
        self._stopping = False
        self._pause = SHORTEST_PAUSE

    @property
    def pid(self) -> int:
        """The process that runs it now, 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    async def load(self) -> None:
        """Start the process, which loads its program and waits for the word."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a folder `cli` where we were started is none of ours
            "-m",
            "cli.up.child",
            self.program,
            str(self._config),
            str(os.getpid()),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    async def run(self) -> Ready:
        """Give the word and wait until the program is ready.

        Raises: Refusal of kind UNAVAILABLE when it ended or took too long.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(b"go\n")
            await process.stdin.drain()
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            raise self._failed(f"was not ready within {READY_SECONDS:g} s") from None
        if not line:
            status = await process.wait()
            raise self._failed(f"ended with {_status(status)} before it was ready")
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    async def keep(self) -> None:
        """Start the program again whenever it ends, until `stop` is called."""
        while not self._stopping:
            assert self._process is not None
            begun = self._clock.monotonic()
            status = await self._process.wait()
            if self._stopping:
                return
            if self._clock.monotonic() - begun > STEADY_SECONDS:
                self._pause = SHORTEST_PAUSE
            self._say(
                f"the {self.program} (pid {self.pid}) ended with {_status(status)}; "
                f"starting it again in {self._pause:g} s"
            )
            await self._clock.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            await self._again()

    async def stop(self) -> None:
        """End the program in order, and by force if it takes too long."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            self._say(f"the {self.program} did not stop within {GRACE_SECONDS:g} s; killing it")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _again(self) -> None:
        if self._stopping:
            return
        try:
            await self.load()
            ready = await self.run()
        except Refusal as refusal:
            self._say(refusal.detail)
        else:
            self._say(f"the {self.program} is back (pid {ready['pid']})")

    def _failed(self, how: str) -> Refusal:
        return Refusal(Kind.UNAVAILABLE, f"the {self.program} {how}")


def _status(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
