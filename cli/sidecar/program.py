"""The sidecar as a process: one stream of the Workload API, and a task for each folder.

1. The stream is opened again whenever it ends, after a back-off that begins anew with each answer.
2. Each folder follows the latest answer on its own: one that cannot be written, or whose program
   cannot be told, is tried again with a back-off, and holds up no other.
3. Once a minute it is said which SVID on the disk has ended, or is about to.
"""

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from cli.endpoint import TcpEndpoint, resolve
from cli.printing import instant, plain
from cli.sidecar.keeping import Denied, Keeper
from cli.sidecar.settings import Settings, read_settings
from cli.workload import workload_api
from finial.runtime.backoff import Backoff
from finial.runtime.clock import Clock, SystemClock
from finial.runtime.entropy import Entropy, SystemEntropy
from finial.runtime.reporting.logging import setup
from finial.runtime.settings import SettingsError
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal

_UMASK: Final = 0o077
_WATCHED: Final = 60.0
_NEAR: Final = 300.0
_log = logging.getLogger("finial.sidecar")


def load(config: Path) -> Settings:
    """Read the file of a sidecar. Raises: Refusal of kind INVALID with all that is wrong."""
    try:
        return read_settings(config)
    except SettingsError as wrong:
        listed = "".join(f"\n  - {problem}" for problem in wrong.problems)
        raise Refusal(Kind.INVALID, f"{config} cannot be used:{listed}") from None


def check(config: Path) -> Settings:
    """Say whether a sidecar could run with this file, and change nothing. Raises: Refusal."""
    settings = load(config)
    resolve(settings.sidecar.workload_api)
    for keeper in _keepers(settings, SystemClock(), SystemEntropy()):
        keeper.check()
    return settings


def run(config: Path, *, once: bool) -> None:
    """Keep the files until SIGTERM, or write them `once`. Raises: Refusal."""
    settings = load(config)
    endpoint = resolve(settings.sidecar.workload_api)
    _harden()
    setup(settings.sidecar.log_level, settings.sidecar.log_format)
    program = Program(settings, endpoint, SystemClock(), SystemEntropy())
    asyncio.run(program.write_once() if once else program.follow())


class Program:
    """Everything that a running sidecar holds."""

    def __init__(
        self, settings: Settings, endpoint: Path | TcpEndpoint, clock: Clock, entropy: Entropy
    ) -> None:
        self._endpoint = endpoint
        self._timeout = settings.sidecar.timeout
        self._backoff = Backoff(first=0.5, longest=settings.sidecar.retry_longest)
        self._clock = clock
        self._entropy = entropy
        self._keepers = _keepers(settings, clock, entropy)
        self._latest: Watch[Any] = Watch(None)

    async def write_once(self) -> None:
        """Write every folder, tell every program, and be done.

        Raises: Refusal of the first one that failed, after all were tried.
        """
        self._prepare()
        answer = await self._first()
        failed = [
            each for each in [await self._attempt(one, answer) for one in self._keepers] if each
        ]
        if isinstance(answer, Denied):
            raise answer.refusal
        if failed:
            raise failed[0]

    async def _first(self) -> Any:
        try:
            async with (
                workload_api(self._endpoint, self._timeout) as api,
                aclosing(api.x509_svids()) as answers,
            ):
                async for answer in answers:
                    return answer
        except Refusal as refusal:
            if refusal.kind is Kind.DENIED:
                return Denied(refusal)
            raise
        raise Refusal(Kind.UNAVAILABLE, "the Workload API ended its stream without an answer")

    async def follow(self) -> None:
        """Keep every folder until SIGTERM or SIGINT."""
        self._prepare()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._warn()),
            *(asyncio.create_task(self._keep(each)) for each in self._keepers),
        ]
        ended = asyncio.create_task(stopping.wait())
        await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, *tasks):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        _log.info("stopped; the files stay")

    def _prepare(self) -> None:
        for each in self._keepers:
            each.prepare()

    async def _listen(self) -> None:
        attempt = 0
        while True:
            version = self._latest.version
            try:
                await self._follow_stream()
                why = "the stream of the Workload API ended"
            except Refusal as refusal:
                why = plain(str(refusal))
                if refusal.kind is Kind.DENIED:
                    self._latest.set(Denied(refusal))
                    version = self._latest.version
            attempt = 0 if self._latest.version != version else attempt
            delay = self._backoff.delay(attempt, self._entropy.between(0.0, 1.0))
            _log.warning("%s; trying again in %.1f s", why, delay)
            await self._clock.sleep(delay)
            attempt += 1

    async def _follow_stream(self) -> None:
        async with (
            workload_api(self._endpoint, self._timeout) as api,
            aclosing(api.x509_svids()) as answers,
        ):
            async for answer in answers:
                self._latest.set(answer)

    async def _keep(self, keeper: Keeper) -> None:
        changed = asyncio.Event()
        stop = self._latest.follow(changed.set)
        attempt = 0
        try:
            while True:
                changed.clear()
                answer = self._latest.value
                failed = answer is not None and await self._attempt(keeper, answer) is not None
                attempt = attempt + 1 if failed else 0
                await self._next(changed, attempt)
        finally:
            stop()

    async def _next(self, changed: asyncio.Event, attempt: int) -> None:
        """Wait for something new, and after a failure no longer than the back-off."""
        if not attempt:
            await changed.wait()
            return
        delay = self._backoff.delay(attempt - 1, self._entropy.between(0.0, 1.0))
        sleeping = asyncio.ensure_future(self._clock.sleep(delay))
        waiting = asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()

    async def _attempt(self, keeper: Keeper, answer: Any) -> Refusal | None:
        try:
            await keeper.take(answer)
        except Refusal as refusal:
            _log.error("%s: %s; the last good set stays", keeper.name, plain(str(refusal)))
            return refusal
        return None

    async def _warn(self) -> None:
        while True:
            await self._clock.sleep(_WATCHED)
            for each in self._keepers:
                left = each.ends - self._clock.now()
                if each.ends and left < 0:
                    _log.error("%s: the SVID ended at %s", each.name, instant(each.ends))
                elif each.ends and left < _NEAR:
                    _log.warning("%s: the SVID ends at %s", each.name, instant(each.ends))


def _keepers(settings: Settings, clock: Clock, entropy: Entropy) -> Sequence[Keeper]:
    return tuple(Keeper(each, clock, entropy) for each in settings.svid)


def _harden() -> None:
    """Leave neither a core file with a key in it nor a file that others can read.

    The process stays dumpable: an agent without the right to trace others could else not see
    which program calls, and the keys are on the disk for the same user anyway.
    """
    os.umask(_UMASK)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
