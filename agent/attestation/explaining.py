"""From an attempt to the document that explains it."""

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from agent.attestation.attempt import BLOCKED, NO_ENTRY, Attempt
from agent.attestation.causes import causes
from agent.attestation.fixes import fixes
from agent.attestation.reading import Reading
from agent.attestation.situation import Situation
from finial.explain.explanation import AttestorReport, Explanation, Outcome, ProcessReport
from finial.explain.nearest import entry_report

MOST_SELECTORS: Final = 256
"""So many selectors of one attestor are shown."""
MOST_ENTRIES: Final = 256
"""So many of the entries that match are shown."""
MOST_ADVICE: Final = 32
"""So many causes and fixes are told, which blocks of many entries may have."""
_SERVED_NOW: Final = "if it asked again now, it would be served"
T = TypeVar("T")


def explain(attempt: Attempt, situation: Situation) -> Explanation:
    """Explain what a process was answered."""
    outcome = Outcome.REFUSED if attempt.reason else Outcome.SERVED
    return _explanation(Reading(attempt, situation), outcome)


def foresee(attempt: Attempt, situation: Situation) -> Explanation:
    """Explain what a process would be answered, which has not asked or asks no more."""
    reading = Reading(attempt, situation)
    return _explanation(reading, _foreseen(reading))


def amended(told: Explanation, now: Explanation) -> Explanation:
    """Add to an explanation what is otherwise by now.

    A process that was refused before it was looked at has been looked at now.
    """
    served = now.outcome is Outcome.WOULD_BE_SERVED
    if told.attestors:
        if told.matches or not served:
            return told
        return msgspec.structs.replace(told, causes=(_SERVED_NOW, *told.causes))
    return msgspec.structs.replace(
        told,
        attestors=now.attestors,
        matches=now.matches,
        nearest=now.nearest,
        shortened=now.shortened,
        causes=_unique(told.causes, (_SERVED_NOW,) if served else now.causes),
        fixes=_unique(told.fixes, now.fixes),
    )


def summary(attempt: Attempt, agent_id: str) -> Explanation:
    """A line of a list: the process, the reason and the id, without the work of explaining."""
    return Explanation(
        agent_id=agent_id,
        process=_process(attempt),
        outcome=Outcome.REFUSED,
        first_at=attempt.first_at,
        last_at=attempt.last_at,
        count=attempt.count,
        method=attempt.method,
        reason=attempt.reason,
        refusal=attempt.refusal,
    )


def for_itself(attempt: Attempt, situation: Situation, last: Attempt | None) -> Explanation:
    """What a process may read about itself, with the last refusal that it had.

    Its selectors, its identities, the reason and the id; nothing of other entries, nothing of the
    node and of what its attestors met with.
    """
    reading = Reading(attempt, situation)
    told = last if last is not None and last.reason else None
    return Explanation(
        agent_id="",
        process=_process(attempt),
        outcome=_foreseen(reading),
        first_at=attempt.first_at,
        last_at=attempt.last_at,
        reason=_foretold(reading) if told is None else told.reason,
        refusal="" if told is None else told.refusal,
        attestors=tuple(
            AttestorReport(name=each.name, status=each.status, selectors=each.selectors)
            for each in _reports(reading)
        ),
        matches=tuple(
            entry_report(each, reading.evidence) for each, _ in reading.matches[:MOST_ENTRIES]
        ),
        shortened=len(reading.matches) > MOST_ENTRIES,
    )


def _foretold(reading: Reading) -> str:
    """What a process that was not refused yet would be told."""
    if reading.attempt.reason or reading.would_be_served:
        return reading.attempt.reason
    if any(state.block for _, state in reading.matches):
        return BLOCKED
    return NO_ENTRY if reading.situation.holdings.synced and not reading.matches else ""


def _foreseen(reading: Reading) -> Outcome:
    served = reading.would_be_served and not reading.attempt.reason
    return Outcome.WOULD_BE_SERVED if served else Outcome.WOULD_BE_REFUSED


def _reports(reading: Reading) -> Iterator[AttestorReport]:
    hiding = reading.evidence.hiding
    return (_bounded(each.report(hiding)) for each in reading.attempt.said)


def _explanation(reading: Reading, outcome: Outcome) -> Explanation:
    attempt, evidence = reading.attempt, reading.evidence
    return Explanation(
        agent_id=reading.situation.agent_id,
        process=_process(attempt),
        outcome=outcome,
        first_at=attempt.first_at,
        last_at=attempt.last_at,
        count=attempt.count,
        method=attempt.method,
        reason=attempt.reason,
        refusal=attempt.refusal,
        attestors=tuple(_reports(reading)),
        matches=tuple(
            entry_report(each, evidence, (), state.words)
            for each, state in reading.matches[:MOST_ENTRIES]
        ),
        nearest=tuple(
            each.report(
                evidence, reading.situation.state(each.entry).words if not each.gaps else ""
            )
            for each in reading.near
        ),
        causes=causes(reading)[:MOST_ADVICE],
        fixes=fixes(reading)[:MOST_ADVICE],
        shortened=len(reading.matches) > MOST_ENTRIES,
    )


def _process(attempt: Attempt) -> ProcessReport:
    caller = attempt.caller
    return ProcessReport(pid=caller.pid, uid=caller.uid, gid=caller.gid, exe=caller.exe)


def _bounded(report: AttestorReport) -> AttestorReport:
    more = len(report.selectors) - MOST_SELECTORS
    if more <= 0:
        return report
    return msgspec.structs.replace(
        report,
        selectors=report.selectors[:MOST_SELECTORS],
        remarks=(*report.remarks, f"{more} more selectors are not shown"),
    )


def _unique(*several: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(each for some in several for each in some))
