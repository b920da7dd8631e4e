"""Recording which process was given what, and which was told no and why."""

import contextlib
import logging

from agent.attestation.attempt import Attempt
from agent.attestation.attempt import Caller as Process
from agent.attestation.memory import Memory
from agent.events.happened import Caller, CallRefused, WorkloadServed
from agent.events.journal import Journal
from agent.events.once_a_second import OnceASecond
from agent.operations.attest_caller import Findings, Unserved
from agent.operations.processes import caller_of
from finial.explain.evidence import Said
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call

_PLAIN = frozenset({Kind.INVALID, Kind.UNIMPLEMENTED})
"""Refusals that say all there is: the request was wrong, whoever sent it."""
_ENDED = "let the process live until it is answered"
_OUTSIDE = "let the agent see the process: run it in the host's PID namespace (pid: host, hostPID)"
log = logging.getLogger("finial.agent.refusals")


class CallRecords:
    """Tells the journal and the memory of calls.

    The same from the same process is written to the journal once a second.
    """

    def __init__(self, journal: Journal, memory: Memory, clock: Clock) -> None:
        self._journal = journal
        self._memory = memory
        self._clock = clock
        self._due = OnceASecond()

    def served(
        self,
        call: Call[KernelPeer],
        findings: Findings,
        spiffe_ids: tuple[SpiffeId, ...],
        granted: tuple[SpiffeId, ...] = (),
    ) -> None:
        """Record before it is sent that a workload gets something.

        `granted` is all that it has a right to, where that is more than what is sent to it. With
        bundles alone nobody is well served who was refused an identity: that stays remembered.

        Raises: Refusal of kind UNAVAILABLE if it cannot be audited.
        """
        peer, method = call.peer, _name(call)
        event = WorkloadServed(Caller(peer.pid, peer.uid, peer.gid), method, spiffe_ids)
        self._journal.record_repeatable(event, (peer.pid, peer.uid, method, spiffe_ids))
        if spiffe_ids or not self._was_refused(peer):
            known = granted or spiffe_ids
            self._memory.served(peer, method, findings.said, known, self._clock.now())

    def refused(
        self, call: Call[KernelPeer], refusal: Refusal, findings: Findings | None = None
    ) -> Refusal:
        """Record that a caller is told no, and return the refusal to tell it, with its id.

        It is told no even if that cannot be written.
        """
        if refusal.kind is Kind.CANCELLED:
            return refusal
        peer, method = call.peer, _name(call)
        attempt = self._memory.refused(
            caller_of(peer),
            method=method,
            said=_said(refusal, findings),
            reason=refusal.detail,
            remedy=refusal.remedy,
            asked_for=refusal.asked_for if isinstance(refusal, Unserved) else "",
            now=self._clock.now(),
            listed=refusal.kind not in _PLAIN,
        )
        if attempt.refusal and attempt.count == 1:
            self._log(attempt)
        caller = Caller(peer.pid, peer.uid, peer.gid)
        block = refusal.block if isinstance(refusal, Unserved) else ""
        event = CallRefused(
            caller, method, refusal.kind.value, refusal.detail, attempt.refusal, block
        )
        with contextlib.suppress(Refusal):
            sameness = (CallRefused, method, refusal.kind)
            self._journal.record_repeatable(event, (*sameness, peer.uid), crowd=sameness)
        return marked(refusal, attempt.refusal)

    def _was_refused(self, peer: KernelPeer) -> bool:
        known = self._memory.of_pid(peer.pid)
        return known is not None and bool(known.reason) and known.caller.uid == peer.uid

    def waits(self, call: Call[KernelPeer]) -> None:
        """Remember that a caller waits for its answer."""
        self._memory.waits(call.peer.pid, self._clock.now())

    def waits_no_more(self, call: Call[KernelPeer]) -> None:
        """Forget that it did; as often as it was said to wait."""
        self._memory.waits_no_more(call.peer.pid)

    def unseen(self, caller: Process, why: str) -> None:
        """Record a connection that was closed because nobody is seen at its other end."""
        attempt = self._memory.refused(
            caller,
            method="",
            said=(),
            reason=why,
            remedy=_ENDED if caller.pid else _OUTSIDE,
            now=self._clock.now(),
        )
        if attempt.count == 1:
            self._log(attempt)

    def _log(self, attempt: Attempt) -> None:
        """Say so in the log, once a second for each user; `finial explain` lists them all."""
        caller = attempt.caller
        if self._due.is_due(caller.uid, attempt.last_at):
            said = "refused process %d of uid %d: %s (refusal %s)"
            log.info(said, caller.pid, caller.uid, attempt.reason, attempt.refusal)


def marked(refusal: Refusal, id_: str) -> Refusal:
    """The refusal with the id by which an operator finds out more."""
    if not id_:
        return refusal
    where = f"; to see why, on the node: finial explain --refusal {id_}"
    detail, remedy = refusal.detail, refusal.remedy
    return Refusal(
        refusal.kind,
        detail if remedy else detail + where,
        field=refusal.field,
        value=refusal.value,
        remedy=remedy and remedy + where,
        reason=refusal.reason,
    )


def _said(refusal: Refusal, findings: Findings | None) -> tuple[Said, ...]:
    if isinstance(refusal, Unserved):
        return refusal.said
    return () if findings is None else findings.said


def _name(call: Call[KernelPeer]) -> str:
    return call.method.rpartition("/")[2]
