"""What can be done about each cause, with the command where one command does it."""

import shlex
from collections.abc import Iterator
from typing import Final

from agent.attestation.reading import Reading
from agent.cache.entitlement import Entitlement
from finial.blocks import SubjectKind
from finial.explain.compare import Cause
from finial.explain.evidence import DENIED
from finial.explain.explanation import Fix
from finial.explain.nearest import Near

DOCTOR: Final = "finial doctor"
_HOPELESS: Final = 0.6
"""From this distance on an entry is more likely somebody else's than mistyped."""
_NOBODYS: Final = frozenset({Cause.UNKNOWN_FORM, Cause.UNKNOWN_TYPE, Cause.IMPOSSIBLE})
_THE_PROCESS: Final = frozenset(
    {
        Cause.ANOTHER_VALUE,
        Cause.ANOTHER_NAME,
        Cause.ANOTHER_KEY,
        Cause.NOTHING_LIKE_IT,
        Cause.NOT_APPLICABLE,
        Cause.HIDDEN,
    }
)


def fixes(reading: Reading) -> tuple[Fix, ...]:
    """Say what to do; nothing if the process is served."""
    attempt, situation = reading.attempt, reading.situation
    if not attempt.reason and reading.would_be_served:
        return (
            *_attestors(reading),
            *_unblocking(reading),
            *_foreign(reading),
            *_clock(reading),
        )
    found = []
    if attempt.remedy:
        found.append(Fix(what=attempt.remedy))
    found += _agent(reading)
    found += _attestors(reading)
    if situation.holdings.synced and attempt.said:
        found += _entries(reading)
    found += _clock(reading)
    return tuple(dict.fromkeys(found))


def _agent(reading: Reading) -> Iterator[Fix]:
    situation = reading.situation
    if not situation.holdings.synced or situation.cut_off is not None:
        what = f"see that the server runs and that this node reaches {situation.server}"
        yield Fix(what=what, command=DOCTOR)


def _attestors(reading: Reading) -> Iterator[Fix]:
    for said in reading.silent:
        if said.status == DENIED:
            yield Fix(what="connect anew: who connects has to be who runs when it is looked at")
        else:
            what = f"see that the attestor {said.name} gets what it needs, and let it ask again"
            yield Fix(what=what, command=DOCTOR)


def _foreign(reading: Reading) -> Iterator[Fix]:
    domains = {
        each.name for entry, _ in reading.matches for each in reading.situation.lacking(entry)
    }
    for name in sorted(domains):
        yield Fix(what=f"let the server have the bundle of {name}, or federate with it no more")


def _clock(reading: Reading) -> Iterator[Fix]:
    wrong = reading.situation.clock
    if wrong is not None:
        yield Fix(what=wrong.remedy)


def _entries(reading: Reading) -> Iterator[Fix]:
    """Alternatives, of which one is enough."""
    found = _matching(reading) if reading.matches else _unmatched(reading)
    for number, fix in enumerate(found):
        yield Fix(what=f"or {fix.what}", command=fix.command) if number else fix


def _matching(reading: Reading) -> Iterator[Fix]:
    if reading.lacks_what_it_asked_for:
        ids = " or ".join(str(each.spiffe_id) for each, _ in reading.matches)
        yield Fix(what=f"let it ask for {ids}, or name no SPIFFE ID")
        yield _register(reading)
    elif not reading.unblocked:
        yield from _unblocking(reading)
    elif not reading.would_be_served:
        yield Fix(what="see why nothing is signed for it", command=DOCTOR)
    elif not any(reading.silent):
        yield Fix(what="let it ask again: it would be served now")


def _unblocking(reading: Reading) -> Iterator[Fix]:
    for block in dict.fromkeys(state.block for _, state in reading.matches if state.block):
        subject = block.subject
        if block.kind is SubjectKind.SELECTOR:
            subject = reading.evidence.hiding.shown_text(subject)
        yield Fix(
            what=f"unblock {subject or 'this agent'}, if the reason for it is over",
            command=f"finial unblock {shlex.quote(block.id or subject)}",
        )


def _unmatched(reading: Reading) -> Iterator[Fix]:
    near = reading.near[0] if reading.near else None
    if near is None or near.distance >= _HOPELESS:
        yield _register(reading)
    if near is None:
        return
    if near.gaps:
        yield from _bring_together(near, reading)
    else:  # its selectors are all there, and it is for stores
        yield Fix(
            what=f"let workloads have the entry for {near.entry.spiffe_id}, if no store needs it",
            command=f"finial entry update {shlex.quote(near.entry.id)} --no-store-svid",
        )
    if near.distance < _HOPELESS:
        yield _register(reading)


def _bring_together(near: Near[Entitlement], reading: Reading) -> Iterator[Fix]:
    """Change the entry, the agent or the process, whichever is wrong."""
    entry, shown = near.entry, reading.evidence.hiding.shown
    update = _update(near, reading)
    if update:
        relies = "; and ".join(
            e.clue for e in near.gaps if e.cause is Cause.ANOTHER_NAME and e.clue
        )
        enough = f", if it is enough to rely on {relies}" if relies else ""
        what = f"if it is to be {entry.spiffe_id}, let the entry ask for what it has{enough}"
        yield Fix(what=what, command=update)
    wrong = [shown(each.wanted) for each in near.gaps if each.cause in _NOBODYS]
    if wrong and not update:
        what = f"correct the entry for {entry.spiffe_id}: no process has {' or '.join(wrong)}"
        yield Fix(
            what=what, command=f"finial entry update {shlex.quote(entry.id)} --selector SELECTOR"
        )
    for name in dict.fromkeys(e.wanted.type for e in near.gaps if e.cause is Cause.NOT_RUNNING):
        yield Fix(
            what=f"let this agent run the attestor {name}: put the table "
            f"[plugins.workload_attestor.{name}] into its configuration and start it again"
        )
    for gap in near.gaps:
        if gap.cause is Cause.SETTING:
            yield Fix(
                what=f"let the agent look for it, by {gap.clue} in the table "
                f"[plugins.workload_attestor.{gap.wanted.type}] of its configuration"
            )
        elif gap.cause is Cause.REMARKED:
            yield Fix(what=f"see to what keeps {shown(gap.wanted)} from being found: {gap.clue}")
    lacking = [shown(each.wanted) for each in near.gaps if each.cause in _THE_PROCESS]
    if lacking:
        yield Fix(
            what=f"start the process so that it has {' and '.join(lacking)}, if it is to be "
            f"{entry.spiffe_id}"
        )


def _update(near: Near[Entitlement], reading: Reading) -> str:
    """The command that gives an entry the selectors that were found, if they are surely meant.

    All have to be known and none secret. An entry of which nothing is met is somebody else's,
    unless what was found is spelled almost like what it wants.
    """
    hiding = reading.evidence.hiding
    if any(gap.closest is None or hiding.is_secret(gap.closest) for gap in near.gaps):
        return ""
    if any(hiding.is_secret(each) for each in near.entry.selectors):
        return ""
    if not near.is_meant:
        return ""
    found = {gap.wanted: gap.closest for gap in near.gaps}
    selectors = (found.get(each) or each for each in near.entry.selectors)
    unique = " ".join(dict.fromkeys(f"--selector {shlex.quote(str(s))}" for s in selectors))
    return f"finial entry update {shlex.quote(near.entry.id)} {unique}"


def _register(reading: Reading) -> Fix:
    caller, agent = reading.attempt.caller, shlex.quote(reading.situation.agent_id)
    if reading.attempt.has_ended or not caller.pid:
        id_ = f"spiffe://{reading.situation.holdings.trust_domain.name}/NAME"
        return Fix(
            what="register an entry for it, by those of the selectors found that tell it apart",
            command=f"finial entry create {id_} --parent {agent} --selector SELECTOR",
        )
    return Fix(
        what="register an entry for it; this shows the selectors to choose from",
        command=f"finial entry create --for-pid {caller.pid} --agent {agent}",
    )
