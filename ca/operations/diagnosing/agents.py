"""The agents: who is there, who has heard the news, and whose SVID nobody renews."""

from collections.abc import Iterator
from typing import Final

from ca.operations.following.streams import ENTRIES, AgentStream
from ca.operations.world import World
from ca.registry.nodes.node import Node
from finial.explain.checkup import many, ok, some, span, warning
from finial.explain.diagnosis import Diagnosis
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import AGENT_PREFIX

AGENTS: Final = "agents"
IN_STEP: Final = "agents in step"
SVIDS: Final = "agent SVIDs"
PATIENCE: Final = 2.0
"""So many seconds an agent may take to apply what it was told."""
NOT_RENEWED: Final = 0.3
"""What has less than this share of its life left should have been renewed at its half."""


def judge_agents(world: World) -> Diagnosis:
    """Who of those that are not banned and have not expired holds a stream."""
    now = world.clock.now()
    living = [each for each in world.known.nodes if not each.banned and expiry(each) > now]
    connected = set(world.streams.agents)
    away = [_away(world, each.id, now) for each in living if each.id not in connected]
    if not away:
        return ok(AGENTS, f"{many(len(living), 'agent')}, each with a stream to this server")
    return warning(
        AGENTS,
        f"{len(away)} of {many(len(living), 'agent')} have no stream to this server: {some(away)}",
        "on the node: finial doctor; an agent of SPIRE has no stream and polls",
    )


async def judge_entries_in_step(world: World) -> Diagnosis:
    """Who has not applied what they were told of entries, even after some patience."""
    late = list(_behind(world))
    if late:
        await world.clock.sleep(PATIENCE)
        known = dict(late)
        late = [
            (stream, told)
            for stream, told in known.items()
            if stream.applied.get(ENTRIES, 0) < told
        ]
        still = set(world.streams)
        late = [(stream, told) for stream, told in late if stream in still]
    if not late:
        return ok(IN_STEP, "every connected agent has applied the entries that it was told of")
    names = sorted({path_of(stream.agent) for stream, _ in late})
    return warning(
        IN_STEP,
        f"{many(len(names), 'agent')} took longer than {PATIENCE:g} s to apply entries: "
        f"{some(names)}",
        "on the node: finial doctor; is it overloaded, or cut off?",
    )


async def judge_agents_svids(world: World) -> Diagnosis:
    """Whose own SVID runs out or has run out."""
    now = world.clock.now()
    ending = {each.spiffe_id for each in await world.datastore.ending(now, NOT_RENEWED)}
    living = [each for each in world.known.nodes if not each.banned]
    gone = [path_of(each.id) for each in living if expiry(each) <= now]
    late = [each for each in living if expiry(each) > now and str(each.id) in ending]
    if late:
        first = min(map(expiry, late)) - now
        return warning(
            SVIDS,
            f"{many(len(late), 'agent')} did not renew in time, the first SVID ends in "
            f"{span(first)}: {some([path_of(each.id) for each in late])}",
            "on the node: finial doctor; one that joined by a token cannot come back by itself",
        )
    if gone:
        return warning(
            SVIDS,
            f"{many(len(gone), 'agent')} expired: {some(gone)}",
            "if the nodes are gone for good: finial agent purge --expired-for 0",
        )
    return ok(SVIDS, f"{many(len(living), 'agent')}, all in time")


def expiry(node: Node) -> int:
    """When the newest SVID of an agent ends."""
    return max(node.expires_at, node.new_expires_at)


def path_of(agent: SpiffeId) -> str:
    """The agent as commands take it: what follows /spire/agent/."""
    return agent.path.removeprefix(f"{AGENT_PREFIX}/")


def _away(world: World, agent: SpiffeId, now: float) -> str:
    left = world.streams.left_at(agent)
    return path_of(agent) + (f" since {span(now - left)}" if left else "")


def _behind(world: World) -> Iterator[tuple[AgentStream, int]]:
    for agent in tuple(world.streams.agents):
        # An older stream of the same agent is one that has not died yet.
        stream = world.streams.of(agent)[-1]
        told = stream.told.get(ENTRIES, 0)
        if stream.applied.get(ENTRIES, 0) < told:
            yield stream, told
