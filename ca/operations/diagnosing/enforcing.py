"""What is blocked and who may call whom: whether every agent enforces what it was told."""

from collections.abc import Iterable
from typing import Final

from ca.operations.diagnosing.agents import PATIENCE, path_of
from ca.operations.enforcement import Enforcement, enforcement
from ca.operations.world import World
from finial.explain.checkup import many, ok, some, warning
from finial.explain.diagnosis import Diagnosis

BLOCKS: Final = "blocks"
RULES: Final = "rules in step"


def judge_blocks(world: World) -> Diagnosis:
    """Whether agents are told all of what is blocked, and how much that is."""
    told = world.known.blocks_told.value.document
    if told.shortened:
        return warning(
            BLOCKS,
            "more live SVIDs are blocked than one document and the revocation lists can name",
            "SPIFFE IDs, entries and selectors are refused all the same; wait until SVIDs expire",
        )
    return ok(BLOCKS, f"{many(len(told.blocks), 'block')} in force, told with nothing left out")


async def judge_enforcement(world: World) -> Diagnosis:
    """Who has not put in force what they were told, even after some patience."""
    late = _late(enforcement(world))
    if late:
        await world.clock.sleep(PATIENCE)
        late &= _late(enforcement(world))
    if not late:
        return ok(RULES, "every connected agent enforces the blocks and rules that it was told of")
    return warning(
        RULES,
        f"{many(len(late), 'agent')} decide by blocks or rules that are out of date: "
        f"{some(sorted(late))}",
        "finial policy agents --lagging; on the node: finial doctor",
    )


def _late(agents: Iterable[Enforcement]) -> set[str]:
    return {
        path_of(each.agent)
        for each in agents
        if any(topic is not None and topic.lags for topic in (each.blocks, each.policies))
    }
