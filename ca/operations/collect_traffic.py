"""Collecting from agents who called whom.

Agents are asked, and tell nothing by themselves: so this server decides how much it hears, and of
what was lost on the way nothing is missing, since the next answer tells whole counts.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from ca.operations.authorized_entries import authorized_entries
from ca.operations.following.traffic import Collected, Look
from ca.operations.world import World
from ca.registry.page import Page
from ca.registry.traffic.flow import By, Flow, TrafficFilter
from ca.registry.traffic.traffic_record import ordered, page_in
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.traffic import Cursor, TrafficDocument, decode

TRAFFIC: Final = "traffic"
"""The capability, and the kind of question, of an agent that keeps a record."""

ANSWER_SECONDS: Final = 2.0
"""For all that one agent is asked in a row: whoever looks at traffic waits for the slowest."""

MOST_DOCUMENTS: Final = 32
"""Documents that one agent is asked for in a row."""

AT_ONCE: Final = 64
"""Agents whose answers are awaited at the same time."""

_logger = logging.getLogger("finial.ca.traffic")


@dataclass(frozen=True, slots=True)
class Traffic:
    """A page of flows; `since` is when this server began to collect, in Unix seconds.

    `silent` are agents that are connected and did not answer, `unable` how many keep no record.
    """

    page: Page[Flow]
    since: float
    silent: tuple[SpiffeId, ...]
    unable: int


async def traffic(
    world: World, wanted: TrafficFilter, by: By, size: int, token: str = "", *, max_age: float = 0.0
) -> Traffic:
    """Say who called whom, as it was at most `max_age` seconds ago where agents answer.

    Raises: Refusal of kind INVALID.
    """
    await collect_traffic(world, max_age)
    collected = world.traffic
    look = Look(collected.asked_at, wanted, by)
    known, flows = collected.latest if token else (None, ())
    if known != look:
        # Of very many rows it takes a while, in which agents are not to wait.
        snapshot = collected.record.snapshot()
        flows = await asyncio.to_thread(ordered, snapshot, wanted, by)
    page = page_in(flows, size, token)
    collected.latest = (look, flows) if page.next_token else (None, ())
    return Traffic(page, collected.since, collected.silent, collected.unable)


async def collect_traffic(world: World, max_age: float = 0.0) -> None:
    """Ask every agent that keeps a record, unless that was done so many seconds ago."""
    collected = world.traffic
    async with collected.lock:
        asked_at = collected.asked_at
        if asked_at is not None and world.clock.monotonic() - asked_at < max_age:
            return
        collected.since = collected.since or world.clock.now()
        agents = tuple(world.streams.agents)
        able = [each for each in agents if world.streams.knows(each, TRAFFIC)]
        gate = asyncio.Semaphore(AT_ONCE)
        answered = await asyncio.gather(*(_read(world, each, gate) for each in able))
        collected.silent = tuple(
            agent for agent, spoke in zip(able, answered, strict=True) if not spoke
        )
        collected.unable = len(agents) - len(able)
        collected.asked_at = world.clock.monotonic()
        _forget_gone(world, collected)


async def _read(world: World, agent: SpiffeId, gate: asyncio.Semaphore) -> bool:
    """Read one agent to its end, or as far as it comes in time; whether it answered."""
    spoke = False
    async with gate:
        end = world.clock.monotonic() + ANSWER_SECONDS
        try:
            for _ in range(MOST_DOCUMENTS):
                document = await _ask(world, agent, max(end - world.clock.monotonic(), 0.0))
                _learn(world, agent, document)
                spoke = True
                if not document.more:
                    break
        except Refusal as refusal:
            _logger.debug("agent %s tells no traffic: %s", agent, refusal)
    return spoke


async def _ask(world: World, agent: SpiffeId, seconds: float) -> TrafficDocument:
    cursor = world.traffic.cursors.get(agent, Cursor())
    answer = await world.questions.ask(agent, TRAFFIC, cursor.encoded(), seconds)
    if answer.status:
        raise Refusal(Kind.UNAVAILABLE, f"it declined with status {answer.status}")
    return decode(answer.payload)


def _learn(world: World, agent: SpiffeId, document: TrafficDocument) -> None:
    collected = world.traffic
    if document.rows:
        callees = frozenset(each.spiffe_id for each in authorized_entries(world, agent))
        collected.record.learn(agent, document, callees, world.clock.now())
    collected.cursors[agent] = document.cursor


def _forget_gone(world: World, collected: Collected) -> None:
    """An agent that is gone for good is asked from its beginning, should it ever come back."""
    for agent in [each for each in collected.cursors if world.known.nodes.get(each) is None]:
        del collected.cursors[agent]
