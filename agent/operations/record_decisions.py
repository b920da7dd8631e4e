"""Recording decisions: the audit log, counters, who called whom, and denials to be explained.

Denials are in the audit log, and of callees that want it every decision. A caller can cause as many
as it likes, so the same one within a second is one line that says how often; and of different ones
so many a second are told apart for each callee.
"""

import contextlib
from collections.abc import Hashable
from typing import Final

import msgspec
from msgspec.structs import replace

from agent.access.denials import Denials
from agent.access.reasons import Obstacle
from agent.access.traffic import Traffic
from agent.access.verdict import Outcome, Verdict
from agent.attestation.attempt import Caller as Process
from agent.events.happened import AccessDecided, Caller
from agent.events.journal import Journal
from agent.events.measures import Measures
from finial.runtime.clock import Clock
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Refusal

MOST_TOLD_APART: Final = 100
"""Different denials of one callee in a second that get a line each."""


class Decided(msgspec.Struct, frozen=True, gc=False):
    """A verdict, and the id under which a denial is explained."""

    verdict: Verdict
    id: str = ""


class DecisionRecords:
    """Records every decision before it is answered."""

    def __init__(
        self,
        journal: Journal,
        measures: Measures,
        traffic: Traffic,
        denials: Denials,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._measures = measures
        self._traffic = traffic
        self._denials = denials
        self._clock = clock
        self._second = 0.0
        self._told: dict[SpiffeId | None, int] = {}

    def record(self, verdict: Verdict, asker: Process, *, audited: bool) -> Decided:
        """Record a decision, and give it back; it is a denial if it had to be audited in vain."""
        now = self._clock.now()
        if audited and verdict.lets_through and not self._audit(verdict, asker):
            verdict = replace(verdict, outcome=Outcome.DENIED, reason=Obstacle.NOT_AUDITED, by=())
        self._measures.decided(verdict.outcome, verdict.reason, verdict.caller.means)
        self._traffic.note(verdict, now)
        if verdict.lets_through:
            return Decided(verdict)
        denial = self._denials.remember(verdict, asker, now)
        event = _event(verdict, asker, denial.id)
        # It is denied whether or not that can be written down.
        with contextlib.suppress(Refusal):
            if audited:
                self._journal.record(event)
            else:
                self._journal.record_repeatable(event, self._key(verdict))
        return Decided(verdict, denial.id)

    def _audit(self, verdict: Verdict, asker: Process) -> bool:
        try:
            self._journal.record(_event(verdict, asker, ""))
        except Refusal:
            return False
        return True

    def _key(self, verdict: Verdict) -> Hashable:
        """What makes two denials the same line."""
        second = self._clock.monotonic() // 1
        if second != self._second:
            self._second = second
            self._told.clear()
        told = self._told[verdict.callee] = self._told.get(verdict.callee, 0) + 1
        key = (AccessDecided, verdict.callee, verdict.caller.id, verdict.reason)
        return key if told > MOST_TOLD_APART else (*key, verdict.method, verdict.path)


def _event(verdict: Verdict, asker: Process, id_: str) -> AccessDecided:
    caller = verdict.caller
    return AccessDecided(
        asker=Caller(asker.pid, asker.uid, asker.gid),
        callee=verdict.callee,
        caller=caller.id,
        means=caller.means.value,
        through=caller.through,
        serials=tuple(map(str, caller.serials)),
        jti=caller.jti,
        method=verdict.method,
        path=verdict.path,
        decision=verdict.outcome.value,
        reason=verdict.reason.value,
        rules=verdict.by,
        because=verdict.because,
        explained_as=id_,
    )
