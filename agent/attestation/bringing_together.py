"""How a process and the entry that comes nearest to it can be brought together.

1. An entry that no process can ever match, or that is spelled almost like what was found, was
   mistyped: it is to be changed.
2. Anything else may as well be another process, which somebody starts in order to be taken for the
   right one. Then the process comes first, and the entry is changed only by who says that it is
   meant.
3. What is needed together is told together.
"""

from collections.abc import Iterator
from typing import Final

from agent.attestation.reading import Reading
from agent.cache.entitlement import Entitlement
from finial.explain.compare import Cause, Gap
from finial.explain.explanation import Fix
from finial.explain.nearest import ALIKE, Near
from finial.explain.shell import quote

Alternative = tuple[Fix, ...]
"""What has to be done together."""

_NOBODYS: Final = frozenset({Cause.UNKNOWN_FORM, Cause.UNKNOWN_TYPE, Cause.IMPOSSIBLE})
_OTHER: Final = frozenset(
    {Cause.ANOTHER_VALUE, Cause.ANOTHER_KEY, Cause.NOTHING_LIKE_IT, Cause.NOT_APPLICABLE}
)
_THE_PROCESS: Final = _OTHER | {Cause.ANOTHER_NAME, Cause.HIDDEN}


def is_somebody_elses(near: Near[Entitlement]) -> bool:
    """Whether an entry is hardly meant for the process: all that it wants was found to be other.

    Nobody is to be advised first to run a program as root, because some entry asks for that.
    """
    return not near.is_meant and all(gap.cause in _OTHER for gap in near.gaps)


def bring_together(near: Near[Entitlement], reading: Reading) -> Iterator[Alternative]:
    """Change the entry, the agent or the process, the likeliest to be wrong first."""
    entry, process = _change(near, reading), (*_around(near, reading), *_process(near, reading))
    mistyped = all(map(_is_mistyped, near.gaps))
    if any(gap.cause in _NOBODYS for gap in near.gaps):
        yield entry if entry and mistyped else (_correction(near, reading), *process)
    elif mistyped and near.entry.id not in reading.situation.subscribed:
        yield from filter(None, (entry, process))
    else:
        yield from filter(None, (process, entry))


def _is_mistyped(gap: Gap) -> bool:
    return gap.cause is not Cause.ANOTHER_NAME and gap.likeness >= ALIKE


def _change(near: Near[Entitlement], reading: Reading) -> Alternative:
    """Let the entry ask for what was found."""
    entry, command = near.entry, _update(near, reading)
    if not command:
        return ()
    relies = "; and ".join(e.clue for e in near.gaps if e.cause is Cause.ANOTHER_NAME and e.clue)
    enough = f", if it is enough to rely on {relies}" if relies else ""
    taken = ""
    if entry.id in reading.situation.subscribed:
        taken = ", which takes it from those who have it now"
    what = f"if it is to be {entry.spiffe_id}, let the entry ask for what it has{enough}{taken}"
    return (Fix(what=what, command=command),)


def _correction(near: Near[Entitlement], reading: Reading) -> Fix:
    """Have somebody write what no process has; what else the entry asks for stays."""
    entry, hiding = near.entry, reading.evidence.hiding
    wrong = {each.wanted for each in near.gaps if each.cause in _NOBODYS}
    named = " or ".join(hiding.shown(each.wanted) for each in near.gaps if each.wanted in wrong)
    kept = (" SELECTOR" if each in wrong else f" {quote(str(each))}" for each in entry.selectors)
    command = f"finial entry update {quote(entry.id)}" + "".join(f" --selector{e}" for e in kept)
    if any(hiding.is_secret(each) for each in entry.selectors if each not in wrong):
        command = ""
    return Fix(
        what=f"correct the entry for {entry.spiffe_id}: no process has {named}", command=command
    )


def _around(near: Near[Entitlement], reading: Reading) -> Iterator[Fix]:
    """Let the agent find what the entry asks for."""
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
            wanted = reading.evidence.hiding.shown(gap.wanted)
            yield Fix(what=f"see to what keeps {wanted} from being found: {gap.clue}")


def _process(near: Near[Entitlement], reading: Reading) -> Iterator[Fix]:
    shown = reading.evidence.hiding.shown
    lacking = [shown(each.wanted) for each in near.gaps if each.cause in _THE_PROCESS]
    if lacking:
        yield Fix(
            what=f"start the process so that it has {' and '.join(lacking)}, if it is to be "
            f"{near.entry.spiffe_id}"
        )


def _update(near: Near[Entitlement], reading: Reading) -> str:
    """The command that gives an entry the selectors that were found, if they are surely meant.

    All have to be known and none secret, and none of them what the attestor said to be something
    else, as the unit of a user with the name of the system's. An entry of which nothing is met is
    somebody else's, unless what was found is spelled almost like what it wants.
    """
    hiding = reading.evidence.hiding
    if any(gap.closest is None or hiding.is_secret(gap.closest) for gap in near.gaps):
        return ""
    if any(hiding.is_secret(each) for each in near.entry.selectors):
        return ""
    if not near.is_meant or any(gap.cause is Cause.REMARKED for gap in near.gaps):
        return ""
    found = {gap.wanted: gap.closest for gap in near.gaps}
    selectors = (found.get(each) or each for each in near.entry.selectors)
    unique = " ".join(dict.fromkeys(f"--selector {quote(str(s))}" for s in selectors))
    return f"finial entry update {quote(near.entry.id)} {unique}"
