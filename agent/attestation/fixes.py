"""What can be done about each cause, with the command where one command does it."""

from collections.abc import Iterator
from typing import Final

from agent.attestation.bringing_together import Alternative, bring_together, is_somebody_elses
from agent.attestation.reading import Reading
from finial.blocks import Block, SubjectKind
from finial.explain.evidence import DENIED
from finial.explain.explanation import Fix
from finial.explain.shell import quote

DOCTOR: Final = "finial doctor"
_HOPELESS: Final = 0.6
"""From this distance on an entry is more likely somebody else's than mistyped."""


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
    if situation.holdings.lockout is not None:
        # The server is there, and speaks with this agent again when it is unblocked.
        yield _unblock(situation.holdings.lockout, reading)
    elif not situation.holdings.synced or situation.cut_off is not None:
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
    """Alternatives, of which one is enough; each may take several steps."""
    if reading.matches:
        found: Iterator[Alternative] = ((fix,) for fix in _matching(reading))
    else:
        found = _unmatched(reading)
    for number, steps in enumerate(found):
        for step, fix in enumerate(steps):
            word = "and " if step else "or " if number else ""
            yield Fix(what=f"{word}{fix.what}", command=fix.command)


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
        yield _unblock(block, reading)


def _unblock(block: Block, reading: Reading) -> Fix:
    subject = block.subject
    if block.kind is SubjectKind.SELECTOR:
        subject = reading.evidence.hiding.shown_text(subject)
    return Fix(
        what=f"unblock {subject or 'this agent'}, if the reason for it is over",
        command=f"finial unblock {quote(block.id or subject)}",
    )


def _unmatched(reading: Reading) -> Iterator[Alternative]:
    near = reading.near[0] if reading.near else None
    if near is None:
        yield (_register(reading),)
        return
    hopeless = near.distance >= _HOPELESS or is_somebody_elses(near)
    if hopeless:
        yield (_register(reading),)
    if near.gaps:
        yield from bring_together(near, reading)
    else:  # its selectors are all there, and it is for stores
        what = f"let workloads have the entry for {near.entry.spiffe_id}, if no store needs it"
        command = f"finial entry update {quote(near.entry.id)} --no-store-svid"
        yield (Fix(what=what, command=command),)
    if not hopeless:
        yield (_register(reading),)


def _register(reading: Reading) -> Fix:
    caller, agent = reading.attempt.caller, quote(reading.situation.agent_id)
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
