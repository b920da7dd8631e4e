"""A stream of whole answers, for as long as its caller has a right to them.

The rules (Workload API sections 4 and 5, appendix A; WAPI-08 to WAPI-12, WAPI-27 to WAPI-30,
WAPI-56):

1. Before the entries are known nobody can be refused: UNAVAILABLE.
2. No identity, at the beginning or later: PERMISSION_DENIED.
3. The first answer goes out at once. While an SVID in it is still being signed the stream is
   held, for a bounded time; then it gets what there is, or UNAVAILABLE where there is nothing.
4. After each change the answer is made again and sent if it differs; it is always whole.
5. Before each answer the process is looked at again: the one that connected must still be there.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from agent.api.answers import Answer, Answers, Subject
from agent.api.call_records import CallRecords
from agent.cache.view import Holdings
from agent.operations.attest_caller import CallerAttestation, Findings, check
from agent.operations.subscriptions import Subscriptions
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call

NOT_SYNCED: Final = "the agent has not yet learned its entries from the server"


class Changes:
    """Lets any number of streams wait for the next change; one event for all of them is small."""

    def __init__(self, published: Watch[Holdings]) -> None:
        self._published = published
        self._next = asyncio.Event()
        published.follow(self._wake)

    @property
    def version(self) -> int:
        """What to wait for the end of."""
        return self._published.version

    async def after(self, version: int) -> None:
        """Wait until there is another version than that."""
        while self._published.version == version:
            await self._next.wait()

    def _wake(self) -> None:
        waited_for, self._next = self._next, asyncio.Event()
        waited_for.set()


@dataclass(frozen=True, slots=True)
class Streaming:
    """What every stream needs; `hold` is how long one may be held, in seconds."""

    answers: Answers
    attestation: CallerAttestation
    subscriptions: Subscriptions
    changes: Changes
    records: CallRecords
    clock: Clock
    hold: float


async def stream(streaming: Streaming, call: Call[KernelPeer], subject: Subject) -> None:
    """Serve one stream until its caller goes or loses its last identity.

    Raises: Refusal of kind DENIED, UNAVAILABLE.
    """
    following = _Following(streaming, call, subject)
    try:
        await following.run()
    except Refusal as refusal:
        raise streaming.records.refused(call, refusal, following.findings) from refusal
    finally:
        following.close()


class _Following:
    """One open stream: what was sent last and which entries it is open for."""

    __slots__ = ("_call", "_entry_ids", "_s", "_sent", "_subject", "findings")

    def __init__(self, streaming: Streaming, call: Call[KernelPeer], subject: Subject) -> None:
        self._s = streaming
        self._call = call
        self._subject = subject
        self._sent: bytes | None = None
        self._entry_ids: tuple[str, ...] = ()
        self.findings: Findings | None = None

    async def run(self) -> None:
        """Answer now and after each change."""
        if not self._s.answers.is_synced:
            raise Refusal(Kind.UNAVAILABLE, NOT_SYNCED)
        self.findings = findings = await self._s.attestation.attest(self._call.peer)
        held_until = self._s.clock.monotonic() + self._s.hold
        while True:
            version = self._s.changes.version
            answer = self._s.answers.answer(self._subject, findings.selectors)
            if not answer.entry_ids and answer.message is None:
                raise findings.no_identity(withheld=answer.withheld)
            self._subscribe(answer)
            if self._is_held(answer, held_until):
                await self._hold(version, held_until)
            else:
                await self._send(answer, findings)
                await self._s.changes.after(version)
            check(self._call.peer, findings.said)

    def close(self) -> None:
        """Nobody needs SVIDs for this stream any more."""
        self._s.subscriptions.remove(self._entry_ids)

    def _is_held(self, answer: Answer, held_until: float) -> bool:
        """Whether there is nothing to send yet, or not all of it, and time to wait."""
        if self._sent is not None or (answer.message is not None and not answer.pending):
            return False
        if self._s.clock.monotonic() < held_until:
            return True
        if answer.message is None:
            raise Refusal(Kind.UNAVAILABLE, "the SVID could not be signed in time")
        return False

    async def _hold(self, version: int, held_until: float) -> None:
        left = held_until - self._s.clock.monotonic()
        self._s.records.waits(self._call)
        sleeper = asyncio.ensure_future(self._s.clock.sleep(left))
        waiter = asyncio.ensure_future(self._s.changes.after(version))
        try:
            await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waiter.cancel()
            self._s.records.waits_no_more(self._call)

    async def _send(self, answer: Answer, findings: Findings) -> None:
        # Without a message nothing is signed at this moment: the next change brings an answer.
        if answer.message is None or answer.message == self._sent:
            return
        self._s.records.served(self._call, findings, answer.spiffe_ids)
        await self._call.send(answer.message)
        self._sent = answer.message

    def _subscribe(self, answer: Answer) -> None:
        entry_ids = answer.entry_ids
        if self._subject is not Subject.X509_SVIDS or entry_ids == self._entry_ids:
            return
        self._s.subscriptions.add(entry_ids, self._s.clock.now())
        self._s.subscriptions.remove(self._entry_ids)
        self._entry_ids = entry_ids
        if answer.pending:
            self._s.subscriptions.want()
