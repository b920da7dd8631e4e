"""Why a process got no identity, in sentences, the likeliest first.

They follow the steps of an attestation: was the caller seen and let in, were the entries known,
did every attestor answer, did an entry match, was its SVID signed, was what the server says now
known. Each step tells what went wrong in it and nothing else, so that the sentences are true
whatever comes together.
"""

from collections.abc import Iterator
from typing import Final

from agent.attestation.attempt import BLOCKED
from agent.attestation.reading import Reading
from agent.attestation.situation import ATTESTATION
from agent.cache.entitlement import Entitlement
from agent.membership.standing import Phase
from finial.explain.checkup import many, some, span
from finial.explain.evidence import ATTESTED, DENIED
from finial.explain.nearest import Near

NO_IDENTITY: Final = "no identity issued"
MOST_TOLD: Final = 3
_AS_NEAR: Final = 1.5


def causes(reading: Reading) -> tuple[str, ...]:
    """Say what stands in the way; of a process that is served, what it might have had besides."""
    attempt = reading.attempt
    if not attempt.reason and reading.would_be_served:
        return (*_silent(reading), *_blocked(reading), *_foreign(reading), *_clock(reading))
    found = [*_reason(reading), *_not_synced(reading), *_attestors(reading)]
    if attempt.said and reading.situation.holdings.synced:
        entries, cut_off = list(_entries(reading)), list(_cut_off(reading))
        # An entry that was hardly meant is less likely than one that has not come here.
        likely = bool(reading.matches) or (bool(reading.near) and reading.near[0].is_meant)
        found += [*entries, *cut_off] if likely else [*cut_off, *entries]
    found += _clock(reading)
    return _once(found)


def _once(sentences: list[str]) -> tuple[str, ...]:
    """Each sentence once, and none that another one holds."""
    unique = tuple(dict.fromkeys(sentences))
    return tuple(
        one for one in unique if not any(one != other and one in other for other in unique)
    )


def _reason(reading: Reading) -> Iterator[str]:
    """What the caller was told, where that says more than that there is no identity."""
    reason = reading.attempt.reason
    if reason and not reason.startswith(NO_IDENTITY):
        yield reason


def _not_synced(reading: Reading) -> Iterator[str]:
    situation = reading.situation
    if situation.phase is not Phase.ATTESTED:
        yield f"this agent {situation.phase.words}: its server has to accept it first"
    if situation.holdings.synced:
        return
    trouble = situation.cut_off or situation.troubles.get(ATTESTATION)
    why = f": {trouble.detail}" if trouble is not None else ""
    yield f"this agent has never learned its entries from its server {situation.server}{why}"


def _silent(reading: Reading) -> Iterator[str]:
    for said in reading.silent:
        verb = "denied this process" if said.status == DENIED else "failed"
        yield f"the attestor {said.name} {verb}: {said.detail}"


def _attestors(reading: Reading) -> Iterator[str]:
    yield from _silent(reading)
    if reading.attempt.said and not reading.evidence.selectors:
        silent = (s for s in reading.attempt.said if s.status != ATTESTED)
        why = "; ".join(f"{each.name}: {each.detail}" for each in silent)
        yield f"no attestor found a selector of this process ({why})"


def _entries(reading: Reading) -> Iterator[str]:
    if reading.matches:
        yield from _matching(reading)
    elif not reading.entries:
        yield (
            "no entry has this agent as its parent, or reaches it through one that has: "
            f"{reading.situation.agent_id}"
        )
    else:
        yield from _lost(reading)
        yield from _near(reading)


def _matching(reading: Reading) -> Iterator[str]:
    attempt, ids = reading.attempt, [str(each.spiffe_id) for each, _ in reading.matches]
    if reading.lacks_what_it_asked_for:
        yield f"it asked for {attempt.asked_for}, and its entries grant {some(ids)}"
    yield from _blocked(reading)
    if not attempt.reason.startswith(NO_IDENTITY) or reading.lacks_what_it_asked_for:
        return
    if attempt.reason == BLOCKED:
        if not any(state.block for _, state in reading.matches):
            yield "its identity was blocked when it was refused, and is blocked no more"
    elif reading.unblocked:
        entry = reading.unblocked[0]
        since = span(reading.situation.now - attempt.last_at)
        yield (
            f"the entry {entry.id} for {entry.spiffe_id} matches by now: it came to this agent, or "
            f"was changed, after the refusal {since} ago"
        )


def _blocked(reading: Reading) -> Iterator[str]:
    for entry, state in reading.matches:
        if state.blocks:
            yield f"the entry {entry.id} for {entry.spiffe_id} matches, but {state.words}"


def _foreign(reading: Reading) -> Iterator[str]:
    for entry, _ in reading.matches:
        domains = [each.name for each in reading.situation.lacking(entry)]
        if domains:
            yield (
                f"the entry {entry.id} for {entry.spiffe_id} federates with {some(domains)}, of "
                "which this agent has no bundle: peers there cannot be verified"
            )


def _clock(reading: Reading) -> Iterator[str]:
    wrong = reading.situation.clock
    if wrong is not None:
        yield wrong.detail


def _lost(reading: Reading) -> Iterator[str]:
    attempt = reading.attempt
    if attempt.served_until:
        ids = some([str(each) for each in attempt.granted])
        ago = span(reading.situation.now - attempt.served_until)
        yield (
            f"it was served as {ids} until {ago} ago: since then that entry was deleted, changed "
            "or moved, or has expired"
        )


def _near(reading: Reading) -> Iterator[str]:
    nearest = reading.near[0].distance if reading.near else 0.0
    told = [each for each in reading.near if each.distance <= nearest * _AS_NEAR]
    for near in told[:MOST_TOLD]:
        yield _lacking(near, reading)
    if not told:
        yield "no entry of this agent has selectors"


def _lacking(near: Near[Entitlement], reading: Reading) -> str:
    entry = near.entry
    if not near.gaps:
        state = reading.situation.state(entry)
        return f"the entry {entry.id} for {entry.spiffe_id} matches, but {state.words}"
    shown = reading.evidence.hiding.shown
    lacks = "; and ".join(f"{shown(each.wanted)}, but {each.why}" for each in near.gaps)
    met = len(entry.selectors) - len(near.gaps)
    also = f" ({many(met, 'other selector')} of it met)" if met else ""
    return f"the entry {entry.id} for {entry.spiffe_id} asks for {lacks}{also}"


def _cut_off(reading: Reading) -> Iterator[str]:
    situation = reading.situation
    trouble = situation.cut_off
    if trouble is None or (situation.holdings.lockout is not None and reading.matches):
        return
    since = span(situation.now - trouble.since)
    yield (
        f"this agent has had no word of its server {situation.server} for {since}, so that what "
        f"was registered since is not known here: {trouble.detail}"
    )
