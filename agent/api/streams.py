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


@dataclass(frozen=True, slots=True)
class Streaming:
    """What every stream needs; `hold` is how long one may be held, in seconds."""

    answers: Answers
    attestation: CallerAttestation
    subscriptions: Subscriptions
    published: Watch[Holdings]
    records: CallRecords
    clock: Clock
    hold: float


async def stream(streaming: Streaming, call: Call[KernelPeer], subject: Subject) -> None:
    """Serve one stream until its caller goes or loses its last identity.

    Raises: Refusal of kind DENIED, UNAVAILABLE.
    """
    try:
        await _stream(streaming, call, subject)
    except Refusal as refusal:
        streaming.records.refused(call, refusal)
        raise


async def _stream(streaming: Streaming, call: Call[KernelPeer], subject: Subject) -> None:
    if not streaming.answers.is_synced:
        raise Refusal(Kind.UNAVAILABLE, NOT_SYNCED)
    findings = await streaming.attestation.attest(call.peer)
    following = _Following(streaming, call, subject, findings)
    try:
        await following.run()
    finally:
        following.close()


class _Following:
    """One open stream: what was sent last and which entries it is open for."""

    __slots__ = ("_call", "_changed", "_entry_ids", "_findings", "_s", "_sent", "_stop", "_subject")

    def __init__(
        self,
        streaming: Streaming,
        call: Call[KernelPeer],
        subject: Subject,
        findings: Findings,
    ) -> None:
        self._s = streaming
        self._call = call
        self._subject = subject
        self._findings = findings
        self._sent: bytes | None = None
        self._entry_ids: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._stop = streaming.published.follow(self._changed.set)

    async def run(self) -> None:
        """Answer now and after each change."""
        held_until = self._s.clock.monotonic() + self._s.hold
        while True:
            self._changed.clear()
            answer = self._s.answers.answer(self._subject, self._findings.selectors)
            left = held_until - self._s.clock.monotonic()
            if await self._is_held(answer, left):
                continue
            await self._send(answer)
            await self._changed.wait()
            check(self._call.peer)

    def close(self) -> None:
        """Stop following; nobody needs SVIDs for this stream any more."""
        self._stop()
        self._s.subscriptions.remove(self._entry_ids)

    async def _is_held(self, answer: Answer, left: float) -> bool:
        """Wait where there is nothing to send yet; whether there was a change to look at."""
        if not answer.entry_ids and answer.message is None:
            raise self._findings.no_identity()
        self._subscribe(answer)
        if self._sent is not None:
            return False
        if answer.message is not None and (not answer.pending or left <= 0):
            return False
        if left <= 0:
            raise Refusal(Kind.UNAVAILABLE, "the SVID could not be signed in time")
        await changed_within(self._changed, self._s.clock, left)
        check(self._call.peer)
        return True

    async def _send(self, answer: Answer) -> None:
        # Without a message nothing is signed at this moment: the next change brings an answer.
        if answer.message is None or answer.message == self._sent:
            return
        self._s.records.served(self._call, answer.spiffe_ids)
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


async def changed_within(changed: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Wait for the event, but no longer than that."""
    sleeper = asyncio.ensure_future(clock.sleep(seconds))
    waiter = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()
        waiter.cancel()
