"""What can be done about each cause, with the command where one command does it."""

import shlex
from collections.abc import Iterator
from typing import Final

from agent.attestation.reading import Reading
from agent.cache.entitlement import Entitlement
from finial.explain.compare import Cause, Gap
from finial.explain.evidence import DENIED
from finial.explain.explanation import Fix
from finial.explain.nearest import Near

DOCTOR: Final = "finial doctor"
_HOPELESS: Final = 0.6
"""From this distance on an entry is more likely somebody else's than mistyped."""
_REPLACED: Final = frozenset(
    {
        Cause.ANOTHER_VALUE,
        Cause.ANOTHER_NAME,
        Cause.ANOTHER_KEY,
        Cause.UNKNOWN_FORM,
        Cause.UNKNOWN_TYPE,
        Cause.IMPOSSIBLE,
    }
)


def fixes(reading: Reading) -> tuple[Fix, ...]:
    """Say what to do; nothing if the process is served."""
    attempt, situation = reading.attempt, reading.situation
    if not attempt.reason and reading.would_be_served:
        return ()
    found = []
    if attempt.remedy:
        found.append(Fix(what=attempt.remedy))
    found += _agent(reading)
    found += _attestors(reading)
    if situation.holdings.synced and attempt.said:
        found += _entries(reading)
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


def _entries(reading: Reading) -> Iterator[Fix]:
    if reading.matches:
        yield from _matching(reading)
        return
    nearest = reading.near[0] if reading.near else None
    if nearest is not None:
        yield from _nearest(nearest, reading)
    yield _register(reading, alone=nearest is None or nearest.distance >= _HOPELESS)


def _matching(reading: Reading) -> Iterator[Fix]:
    if reading.lacks_what_it_asked_for:
        ids = " or ".join(str(each.spiffe_id) for each, _ in reading.matches)
        yield Fix(what=f"let it ask for {ids}, or name no SPIFFE ID")
        yield _register(reading, alone=False)
    elif reading.would_be_served and not any(reading.silent):
        yield Fix(what="let it ask again: it would be served now")
    elif not reading.would_be_served:
        yield Fix(what="see why nothing is signed for it", command=DOCTOR)


def _nearest(near: Near[Entitlement], reading: Reading) -> Iterator[Fix]:
    entry = near.entry
    if not near.gaps:
        if entry.store_svid:
            yield Fix(
                what=f"let workloads have the entry for {entry.spiffe_id}, if no store needs it",
                command=f"finial entry update {shlex.quote(entry.id)} --no-store-svid",
            )
        return
    update = _update(near, reading)
    if update:
        yield Fix(
            what=f"if the process is right, let the entry for {entry.spiffe_id} ask for what "
            "it has",
            command=update,
        )
    for gap in near.gaps:
        yield from _gap(gap, reading, with_update=bool(update))


def _gap(gap: Gap, reading: Reading, *, with_update: bool) -> Iterator[Fix]:
    wanted = reading.evidence.hiding.shown(gap.wanted)
    name = gap.wanted.type
    match gap.cause:
        case Cause.NOT_RUNNING:
            yield Fix(
                what=f"let this agent run the attestor {name}: put the table "
                f"[plugins.workload_attestor.{name}] into its configuration and start it again"
            )
        case Cause.UNKNOWN_TYPE if gap.closest is None:
            runs = ", ".join(sorted(reading.situation.attestors))
            yield Fix(what=f"name selectors of attestors that this agent runs: {runs}")
        case Cause.NOT_APPLICABLE:
            yield Fix(
                what=f"start the process where the attestor {name} looks, or ask for selectors "
                "that it has"
            )
        case Cause.UNKNOWN_FORM | Cause.IMPOSSIBLE | Cause.UNKNOWN_TYPE if not with_update:
            yield Fix(what=f"correct the selector {wanted} of the entry, which no process has")
        case Cause.ANOTHER_VALUE | Cause.ANOTHER_NAME | Cause.ANOTHER_KEY | Cause.NOTHING_LIKE_IT:
            either = "or, if the entry is right, " if with_update else ""
            yield Fix(what=f"{either}start the process so that it has {wanted}")


def _update(near: Near[Entitlement], reading: Reading) -> str:
    """The command that gives an entry the selectors that were found, where all are known."""
    hiding = reading.evidence.hiding
    found = {gap.wanted: gap for gap in near.gaps}
    selectors = []
    for wanted in near.entry.selectors:
        gap = found.get(wanted)
        selector = wanted if gap is None else gap.closest
        if selector is None or hiding.is_secret(selector) or hiding.is_secret(wanted):
            return ""
        if gap is not None and gap.cause not in _REPLACED:
            return ""
        selectors.append(f"--selector {shlex.quote(str(selector))}")
    unique = " ".join(dict.fromkeys(selectors))
    return f"finial entry update {shlex.quote(near.entry.id)} {unique}"


def _register(reading: Reading, *, alone: bool) -> Fix:
    pid, agent = reading.attempt.caller.pid, reading.situation.agent_id
    either = "" if alone else "or "
    return Fix(
        what=f"{either}register an entry for it; this shows the selectors to choose from",
        command=f"finial entry create --for-pid {pid} --agent {shlex.quote(agent)}",
    )
