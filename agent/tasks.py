"""Time is a way in too: what the agent does by itself.

Each function runs for ever. Deciding uses the wall clock; no sleep is longer than a minute, so
that a machine that was suspended finds out by itself what is due.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from agent.attestation.situation import SIGNING, STREAM, SYNCHRONISATION
from agent.cache.view import Holdings
from agent.events.journal import Journal
from agent.membership.standing import Phase, Step, remedy
from agent.operations.enforce_blocks import BLOCKS, BlockEnforcement
from agent.operations.follow_server import Listener
from agent.operations.join import Joining
from agent.operations.link import Link
from agent.operations.member import Member
from agent.operations.refresh_svids import SvidRefresh, tainted
from agent.operations.renew import renew_own_svid
from agent.operations.subscriptions import Subscriptions
from agent.operations.synchronise import ENTRIES, Synchronisation
from agent.upstream.attesting import post_status
from agent.upstream.servers import UNREACHED, Servers
from finial.runtime.backoff import Backoff
from finial.runtime.clock import LONGEST_SLEEP, Clock
from finial.runtime.entropy import Entropy
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid

SHORTEST_WAIT: Final = 0.05
STEADY: Final = 10.0
"""A stream that was open for so many seconds is no failed attempt."""

FINAL: Final = frozenset({Kind.INVALID, Kind.DENIED, Kind.PRECONDITION, Kind.UNIMPLEMENTED})
log = logging.getLogger("finial.agent.tasks")


@dataclass(frozen=True, slots=True)
class Tasks:
    """What the agent's tasks work with."""

    member: Member
    joining: Joining
    servers: Servers
    listener: Listener
    sync: Synchronisation
    refresh: SvidRefresh
    enforcement: BlockEnforcement
    subscriptions: Subscriptions
    holdings: Watch[Holdings]
    link: Link
    journal: Journal
    clock: Clock
    entropy: Entropy
    poll: float
    safety_poll: float
    version: str

    async def keep_standing(self) -> None:
        """Attest, renew, attest anew; for as long as that is possible.

        Raises: Refusal with what the operator has to run, when it no longer is.
        """
        failures = 0
        while True:
            self.member.pass_time()
            step = self.member.standing.value.next_step(self.clock.now())
            if step is Step.STOP:
                await self._stop()
            if step is Step.WAIT:
                await self._wait_for_renewal()
                continue
            try:
                await self._take(step)
                failures = 0
                self.link.worked(step.value)
                self.link.reached.set()
            except Refusal as refusal:
                self.enforcement.heed(refusal)
                self.member.heed(refusal)
                self._judge_failure(step, refusal)
                self.link.failed(step.value, refusal, self.clock.now())
                log.warning("%s failed: %s", step.value, refusal)
                await self._trust_anew(refusal)
                await self._pause(failures)
                failures += 1

    async def synchronise(self) -> None:
        """Compare entries and bundles when somebody says so, and from time to time anyway."""
        failures = 0
        while True:
            await self._attested()
            version = self.link.entries_version
            try:
                await self.sync.run(self.servers)
                failures = 0
                self.link.worked(SYNCHRONISATION)
                self.link.reached.set()
                await self.listener.applied(ENTRIES, version)
            except Refusal as refusal:
                failures = await self._failed(SYNCHRONISATION, refusal, failures)
                self.link.stale.set()
                continue
            self._heed_taint()
            interval = self.safety_poll if self.link.connected else self.poll
            if not await within(self.link.stale.wait(), self.clock, interval):
                self.link.ask(bundles=True)

    async def follow(self) -> None:
        """Keep the stream of changes open; while there is none, the server is polled."""
        failures = 0
        while True:
            await self._attested()
            begun = self.clock.monotonic()
            svid = self.member.standing.value.svid
            listening = asyncio.ensure_future(self.listener.run(self.servers))
            try:
                await self._until_renewed(listening, svid)
                failures = 0
            except Refusal as refusal:
                if refusal.kind is Kind.UNIMPLEMENTED:
                    log.info("the server has no stream of changes, so it is polled")
                    await self.clock.sleep(LONGEST_SLEEP)
                    continue
                steady = self.clock.monotonic() - begun >= STEADY
                failures = await self._failed(STREAM, refusal, 0 if steady else failures)
            finally:
                listening.cancel()

    async def keep_svids(self) -> None:
        """Have SVIDs signed, renewed and dropped as entries, streams and time demand."""
        failures = 0
        changed = asyncio.Event()
        watched = (self.holdings, self.subscriptions.wanted, self.member.standing)
        stops = [each.follow(changed.set) for each in watched]
        try:
            while True:
                changed.clear()
                attested = self.member.standing.value.phase is Phase.ATTESTED
                try:
                    seconds = await self.refresh.run(can_sign=attested)
                    failures = 0
                    if attested:
                        self.link.worked(SIGNING)
                except Refusal as refusal:
                    failures = await self._failed(SIGNING, refusal, failures)
                    continue
                await within(changed.wait(), self.clock, max(seconds, SHORTEST_WAIT))
        finally:
            for stop in stops:
                stop()

    async def enforce_blocks(self) -> None:
        """Bring what is blocked to open streams and to the disk, and let it end in time."""
        failures, said = 0, 0
        while True:
            self.enforcement.unsettled.clear()
            self.enforcement.pass_time()
            try:
                version = await self.enforcement.settle()
                if version != said:
                    await self.listener.applied(BLOCKS, version)
                    failures, said = 0, version
                    self.link.worked(BLOCKS)
            except Refusal as refusal:
                failures = await self._failed(BLOCKS, refusal, failures)
                continue
            seconds = self.enforcement.until_next_end()
            await within(self.enforcement.unsettled.wait(), self.clock, seconds)

    async def report_status(self) -> None:
        """Tell the server our version, once; nobody minds if it does not listen (SPIRE BS-10)."""
        await self._attested()
        try:
            await post_status(self.servers, self.version)
        except Refusal as refusal:
            log.debug("the status was not taken: %s", refusal)

    async def _take(self, step: Step) -> None:
        if step is Step.RENEW:
            await renew_own_svid(self.member, self.servers, self.journal)
        else:
            if self.member.standing.value.phase is Phase.MUST_REATTEST:
                await self.member.forget_keys()
            await self.servers.go_on_with(await self.joining.join(self.servers.addresses))
            self.link.ask(bundles=True)
        self.servers.present_anew()

    def _judge_failure(self, step: Step, refusal: Refusal) -> None:
        """Give up where the server has understood and will say the same again."""
        first = self.member.standing.value.phase is Phase.UNATTESTED
        if step is Step.ATTEST and first and refusal.kind in FINAL:
            raise Refusal(
                refusal.kind,
                f"this node was not attested: {refusal.detail}",
                remedy=refusal.remedy or self._remedy_at_first(),
            ) from refusal

    def _remedy_at_first(self) -> str:
        name = self.joining.attestor
        if name == "join_token":
            return remedy(Phase.UNATTESTED, None)
        return (
            f"compare plugins.node_attestor.{name} in this agent's configuration with the "
            "server's, and start the agent again"
        )

    async def _stop(self) -> None:
        phase = self.member.standing.value.phase
        await self.member.forget_keys()
        raise Refusal(
            Kind.PRECONDITION,
            f"this agent {phase.words}",
            remedy=remedy(phase, self.member.id),
        )

    async def _wait_for_renewal(self) -> None:
        svid = self.member.standing.value.svid
        left = 0.0 if svid is None else svid.renew_at - self.clock.now()
        changed = asyncio.Event()
        stop = self.member.standing.follow(changed.set)
        try:
            await within(changed.wait(), self.clock, max(left, SHORTEST_WAIT))
        finally:
            stop()

    async def _attested(self) -> None:
        async for standing in self.member.standing.changes():
            if standing.phase is Phase.ATTESTED:
                return

    async def _until_renewed(self, listening: "asyncio.Future[None]", svid: object) -> None:
        """Let the stream run until our SVID is another: then it is opened anew with that one."""
        renewed = asyncio.ensure_future(self._another_svid(svid))
        try:
            await asyncio.wait({listening, renewed}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                await listening
        finally:
            renewed.cancel()

    async def _another_svid(self, svid: object) -> None:
        async for standing in self.member.standing.changes():
            if standing.svid is not svid:
                return

    async def _failed(self, what: str, refusal: Refusal, failures: int) -> int:
        self.link.failed(what, refusal, self.clock.now())
        self.enforcement.heed(refusal)
        if self.member.heed(refusal):
            await self.clock.sleep(SHORTEST_WAIT)
            return failures
        say = log.info if refusal.kind in UNREACHED else log.warning
        say("%s failed: %s", what, refusal)
        await self._trust_anew(refusal)
        await self._pause(failures)
        return failures + 1

    async def _trust_anew(self, refusal: Refusal) -> None:
        if refusal.kind is Kind.UNAUTHENTICATED:
            await self.joining.trust_anew(self.servers.address)

    async def _pause(self, failures: int) -> None:
        """Wait before the next attempt, but not when a server has answered another task."""
        delay = _BACKOFF.delay(failures, self.entropy.between(0.0, 1.0))
        self.link.reached.clear()
        await within(self.link.reached.wait(), self.clock, delay)

    def _heed_taint(self) -> None:
        """Renew our own SVID at once if its authority was tainted (SPIRE BR-01)."""
        svid = self.member.standing.value.svid
        if svid is None or svid.renew_at == 0.0:
            return
        marked = tainted(self.holdings.value)
        if marked and X509Svid.parse(svid.chain).authority_key_id in marked:
            self.member.renew_soon()


_BACKOFF: Final = Backoff(first=0.5, longest=30.0, jitter=0.5)


async def within(waiting: Coroutine[Any, Any, object], clock: Clock, seconds: float) -> bool:
    """Wait for something, at most so many seconds; whether it came."""
    awaited = asyncio.ensure_future(waiting)
    sleeper = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({awaited, sleeper}, return_when=asyncio.FIRST_COMPLETED)
        return awaited.done()
    finally:
        awaited.cancel()
        sleeper.cancel()
