"""Asks everything that can be asked, side by side, in bounded time."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from ca.operations.diagnosing.agents import (
    judge_agents,
    judge_agents_svids,
    judge_entries_in_step,
)
from ca.operations.diagnosing.authorities import judge_authorities, judge_federated
from ca.operations.diagnosing.discovery import diagnose_discovery
from ca.operations.diagnosing.enforcing import judge_blocks, judge_enforcement
from ca.operations.diagnosing.entries import judge_identities, judge_reach, judge_use
from ca.operations.diagnosing.ground import diagnose_ground, judge_database
from ca.operations.diagnosing.limits import judge_lifetimes, judge_rate_limits
from ca.operations.world import World
from finial.explain.checkup import failed
from finial.explain.diagnosis import Diagnosis
from finial.runtime.patience import within

SECONDS: Final = 8.0

Findings = Sequence[Diagnosis]


async def diagnose(world: World) -> list[Diagnosis]:
    """Look at everything, which takes some seconds at most.

    One row of the database is written, always the same. The order is that of what depends on
    what: storage, keys, agents, entries.
    """
    asked: dict[str, Awaitable[Findings]] = {
        "database": _one(judge_database(world)),
        "ground": asyncio.to_thread(diagnose_ground, world),
        "authorities": _known(world),
        "oidc discovery": asyncio.to_thread(diagnose_discovery, world),
        "agents in step": _one(judge_entries_in_step(world)),
        "rules in step": _one(judge_enforcement(world)),
        "agent SVIDs": _one(judge_agents_svids(world)),
        "entries used": _one(judge_use(world)),
        "identities": _one(judge_identities(world)),
    }
    answers = await asyncio.gather(*(_within(*each) for each in asked.items()))
    return [each for answer in answers for each in answer]


async def _known(world: World) -> Findings:
    """What memory alone tells."""
    return (
        *judge_authorities(world),
        judge_federated(world),
        judge_lifetimes(world),
        judge_rate_limits(world),
        judge_agents(world),
        judge_reach(world),
        judge_blocks(world),
    )


async def _one(asked: Awaitable[Diagnosis]) -> Findings:
    return (await asked,)


async def _within(check: str, asked: Awaitable[Findings]) -> Findings:
    late = (failed(check, f"it took longer than {SECONDS:g} s"),)
    bug = (failed(check, "its diagnosis failed by a bug, which the server's log shows"),)
    return await within(asked, SECONDS, what=f"the diagnosis of {check}", late=late, broken=bug)
