"""Looking at running programs beside the event loop, and remembering their hashes."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Final

from attestors.contract import Process
from attestors.workload.unix import executable
from attestors.workload.unix.executable import FileKey, Program
from attestors.workload.unix.recent_mounts import RecentMounts
from attestors.workload.unix.threads import Threads
from finial.runtime.clock import Clock

MAX_HASHES: Final = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """The values of a program's selectors, and what could not be found out."""

    values: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Programs:
    """Finds path and hash of a program; `limit` is in bytes as in the attestor's settings.

    A file that stands where only root can mount is looked at at once. For others, and to hash a
    file not seen before, there are threads: a file server that hangs holds up only the users who
    run programs from it. What a user mounts in a namespace of their own is not looked at.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._threads = Threads(clock)
        self._mounts = RecentMounts(executable.prompt_mounts, clock)
        self._hashes: OrderedDict[FileKey, str] = OrderedDict()
        self._hashing: dict[FileKey, asyncio.Task[tuple[FileKey, str]]] = {}

    async def find(self, process: Process, deadline: float) -> Found:
        """Look at a process's program until `deadline` (monotonic seconds).

        Raises: executable.TooLarge.
        """
        try:
            program, whose = await self._identify(process, deadline)
            digest, unhashed = await self._hashed(process.proc, program.key, whose, deadline)
        except TimeoutError:
            return Found(remarks=("it took too long to look at the program",))
        except OSError as error:
            fault = error.strerror or str(error)
            return Found(remarks=(f"the program cannot be looked at: {fault}",))
        values = (program.path and f"path:{program.path}", digest and f"sha256:{digest}")
        remarks = (program.remark, unhashed)
        return Found(tuple(filter(None, values)), tuple(filter(None, remarks)))

    async def _hashed(
        self, proc: str, key: FileKey, whose: int | None, deadline: float
    ) -> tuple[str, str]:
        """Return the hash, or an empty text and why there is none."""
        if self._limit < 0:
            return "", "no unix:sha256: the setting workload_size_limit is below 0"
        try:
            return await self._hash(proc, key, whose, deadline), ""
        except TimeoutError:
            return "", "no unix:sha256: it takes too long to read the program"

    async def _identify(self, process: Process, deadline: float) -> tuple[Program, int | None]:
        """Return the program, and whose threads look at it: nobody's own if it is the system's."""
        link = executable.link_of(process.proc)
        found = executable.identify_at_once(process.proc, link, self._mounts())
        if found is not None:
            return found, None
        look = partial(executable.identify, process.proc, link)
        return await self._threads.run(process.uid, look, deadline), process.uid

    async def _hash(self, proc: str, key: FileKey, whose: int | None, deadline: float) -> str:
        executable.judge_size(key, self._limit)
        running = self._hashing.get(key)
        if running is not None:
            # Another process runs the same file. Should that end early, we read it ourselves.
            await asyncio.wait((running,), timeout=self._left(deadline))
        known = self._hashes.get(key)
        if known is not None:
            self._hashes.move_to_end(key)
            return known
        reading = self._hashing.get(key) or self._start_hashing(proc, key, whose, deadline)
        done, _ = await asyncio.wait((reading,), timeout=self._left(deadline))
        if not done:
            raise TimeoutError
        found, digest = reading.result()
        if found != key:
            raise OSError("the process executed another program meanwhile")
        return digest

    def _start_hashing(
        self, proc: str, key: FileKey, whose: int | None, deadline: float
    ) -> "asyncio.Task[tuple[FileKey, str]]":
        reading = asyncio.create_task(self._read(proc, whose, deadline))
        self._hashing[key] = reading

        def remember(done: "asyncio.Task[tuple[FileKey, str]]") -> None:
            del self._hashing[key]
            if not done.cancelled() and done.exception() is None:
                self._remember(*done.result())

        reading.add_done_callback(remember)
        return reading

    async def _read(self, proc: str, whose: int | None, deadline: float) -> tuple[FileKey, str]:
        """Go on reading also if nobody waits any more: the next one will be glad."""
        look = partial(executable.content_hash, proc, self._limit, self._clock)
        return await (await self._threads.start(whose, look, deadline))

    def _remember(self, key: FileKey, digest: str) -> None:
        self._hashes[key] = digest
        if len(self._hashes) > MAX_HASHES:
            self._hashes.popitem(last=False)

    def _left(self, deadline: float) -> float:
        return max(deadline - self._clock.monotonic(), 0.0)
