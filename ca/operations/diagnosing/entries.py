"""The entries: whom nobody can reach, what nobody uses, and what was not renewed."""

from collections import Counter
from typing import Final

from ca.operations.diagnosing.agents import NOT_RENEWED, path_of
from ca.operations.world import World
from ca.registry.entry import Entry
from ca.registry.index.node_aliases import is_alias
from ca.registry.whereabouts.reach import unreached_parent
from finial.explain.checkup import many, ok, some, span, warning
from finial.explain.diagnosis import Diagnosis
from finial.spiffe.identity import SpiffeId

REACHED: Final = "entries reached"
USED: Final = "entries used"
IDENTITIES: Final = "identities"
DAY: Final = 86_400


def judge_reach(world: World) -> Diagnosis:
    """Which entries no known agent serves."""
    known = world.known
    below = Counter(each.parent_id for each in known.entries if not is_alias(each))
    why = {
        parent: reason
        for parent in below
        if (reason := unreached_parent(parent, known.entries, known.nodes))
    }
    if not why:
        return ok(REACHED, f"{many(len(known.entries), 'entry', 'entries')}, each below an agent")
    lost = sum(below[parent] for parent in why)
    first = max(why, key=lambda parent: below[parent])
    return warning(
        REACHED,
        f"{many(lost, 'entry reaches', 'entries reach')} no agent{_of(below[first], lost)}: "
        f"{why[first]}",
        f"finial entry list --parent {first}",
    )


async def judge_use(world: World) -> Diagnosis:
    """For which entries nothing is issued, though they are older than a day."""
    used = await world.datastore.used_entries()
    since = world.clock.now() - DAY
    idle = [each for each in world.known.entries if _is_idle(each, since) and each.id not in used]
    if not idle:
        return ok(USED, "an SVID was issued for every entry that is older than a day")
    names = [f"{each.id} ({each.spiffe_id.path or '/'})" for each in idle]
    return warning(
        USED,
        f"no SVID was issued for a day or longer for {many(len(idle), 'entry', 'entries')}: "
        f"{some(names)}",
        "finial explain on the node shows whom an entry lacks; or finial entry delete ID",
    )


async def judge_identities(world: World) -> Diagnosis:
    """Which SVIDs of workloads run out although they could be renewed."""
    now, known = world.clock.now(), world.known
    late = []
    for last in await world.datastore.ending(now, NOT_RENEWED):
        entry = known.entries.get(last.entry_id) if last.agent_id else None
        node = known.nodes.get(SpiffeId.parse(last.agent_id)) if entry else None
        if entry and node and known.entries.authorized_entry(node.id, node.selectors, entry.id):
            late.append((last.expires_at, f"{entry.spiffe_id} at {path_of(node.id)}"))
    if not late:
        return ok(IDENTITIES, "every SVID of a workload is renewed in time")
    return warning(
        IDENTITIES,
        f"{many(len(late), 'SVID')} not renewed in time, the first of which ends in "
        f"{span(late[0][0] - now)}: {some([name for _, name in late])}",
        "on the node: finial doctor",
    )


def _of(part: int, whole: int) -> str:
    return f"; {part} of them" if part < whole else ""


def _is_idle(entry: Entry, since: float) -> bool:
    return 0 < entry.created_at < since and not is_alias(entry)
