"""Looking at running programs beside the event loop, and remembering their hashes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from attestors.workload.unix import executable
from attestors.workload.unix.executable import FileKey, Program
from finial.runtime.clock import Clock

T = TypeVar("T")

THREADS: Final = 4
MAX_HASHES: Final = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """The values of a program's selectors, and what could not be found out."""

    values: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Programs:
    """Finds path and hash of a program; `limit` is in bytes as in the attestor's settings.

    A file that stands where only root can mount is looked at at once. For others, and to hash a
    file not seen before, there are `THREADS` threads: a file server that hangs holds up these, and
    only whoever runs programs from elsewhere.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, "programs")
        self._hashes: OrderedDict[FileKey, str] = OrderedDict()
        self._hashing: dict[FileKey, asyncio.Future[tuple[FileKey, str]]] = {}

    async def find(self, proc: str, deadline: float) -> Found:
        """Look at a process's program until `deadline` (monotonic seconds).

        Raises: executable.TooLarge.
        """
        try:
            program = await self._identify(proc, deadline)
            digest = await self._hash(proc, program.key, deadline)
        except TimeoutError:
            return Found(remarks=("it took too long to look at the program",))
        except OSError as error:
            fault = error.strerror or str(error)
            return Found(remarks=(f"the program cannot be looked at: {fault}",))
        values = (program.path and f"path:{program.path}", digest and f"sha256:{digest}")
        unhashed = "no unix:sha256: the setting workload_size_limit is below 0"
        remarks = (program.remark, "" if self._limit >= 0 else unhashed)
        return Found(tuple(filter(None, values)), tuple(filter(None, remarks)))

    async def _identify(self, proc: str, deadline: float) -> Program:
        link = executable.link_of(proc)
        if executable.is_prompt(link):
            return executable.identify(proc, link)
        return await self._beside(lambda: executable.identify(proc, link), deadline)

    async def _hash(self, proc: str, key: FileKey, deadline: float) -> str:
        if self._limit < 0:
            return ""
        executable.judge_size(key, self._limit)
        running = self._hashing.get(key)
        if running is not None:
            # Another process runs the same file. Should that end early, we read it ourselves.
            await asyncio.wait((running,), timeout=self._left(deadline))
        known = self._hashes.get(key)
        if known is not None:
            self._hashes.move_to_end(key)
            return known
        found, digest = await self._finished(self._start_hashing(proc, key), deadline)
        if found != key:
            raise OSError("the process executed another program meanwhile")
        return digest

    def _start_hashing(self, proc: str, key: FileKey) -> "asyncio.Future[tuple[FileKey, str]]":
        loop = asyncio.get_running_loop()
        hashing = loop.run_in_executor(self._pool, executable.content_hash, proc, self._limit)
        self._hashing[key] = hashing

        def remember(done: "asyncio.Future[tuple[FileKey, str]]") -> None:
            if self._hashing.get(key) is done:
                del self._hashing[key]
            if not done.cancelled() and done.exception() is None:
                self._remember(*done.result())

        hashing.add_done_callback(remember)
        return hashing

    def _remember(self, key: FileKey, digest: str) -> None:
        self._hashes[key] = digest
        if len(self._hashes) > MAX_HASHES:
            self._hashes.popitem(last=False)

    async def _beside(self, look: Callable[[], T], deadline: float) -> T:
        loop = asyncio.get_running_loop()
        return await self._finished(loop.run_in_executor(self._pool, look), deadline)

    async def _finished(self, running: "asyncio.Future[T]", deadline: float) -> T:
        done, _ = await asyncio.wait((running,), timeout=self._left(deadline))
        if not done:
            raise TimeoutError
        return running.result()

    def _left(self, deadline: float) -> float:
        return max(deadline - self._clock.monotonic(), 0.0)
