"""Administrators' acts on agents: find, ban, evict; and what an agent says of itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ca.events.happened import Actor, NodeBanned, NodeEvicted
from ca.operations.world import World
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_filter import NodeFilter
from ca.registry.nodes.standing import banned
from ca.registry.page import Page
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import AGENT_PREFIX, is_agent

MAX_AGENT_VERSION: Final = 255
_JOINED_BY_TOKEN: Final = f"{AGENT_PREFIX}/join_token"


def find_agent(world: World, agent: SpiffeId) -> Node:
    """Return what is known of one agent.

    Raises: Refusal of kind INVALID, NOT_FOUND.
    """
    judge_agent_id(world, agent)
    if (node := world.known.nodes.get(agent)) is None:
        raise agent_not_found(agent)
    return node


def list_agents(world: World, wanted: NodeFilter | None, size: int, token: str) -> Page[Node]:
    """Return a page of the agents that match; a size of 0 means all.

    Raises: Refusal of kind INVALID.
    """
    return world.known.nodes.page(wanted, size, token)


def count_agents(world: World, wanted: NodeFilter | None) -> int:
    """Count the agents that match."""
    return world.known.nodes.count(wanted)


async def ban_agent(world: World, actor: Actor, agent: SpiffeId) -> None:
    """Take an agent's identity away; it cannot attest again until it is evicted (BR-06).

    Raises: Refusal of kind INVALID, NOT_FOUND, UNAVAILABLE.
    """
    judge_agent_id(world, agent)
    node = await _changed(world, agent, banned)
    world.record(NodeBanned(actor, node))


async def evict_agent(world: World, actor: Actor, agent: SpiffeId) -> None:
    """Forget an agent, and the join token by which it came (BR-07).

    It may attest again where its attestor allows that.

    Raises: Refusal of kind INVALID, NOT_FOUND, UNAVAILABLE.
    """
    judge_agent_id(world, agent)
    if agent.is_under(_JOINED_BY_TOKEN):
        # Until it expires, the token would let the key that spent it come back. It goes first, so
        # that whoever is interrupted here repeats the whole.
        await world.datastore.delete_join_token(agent.path.rpartition("/")[2])
    try:
        node = await world.datastore.delete_node(agent)
    except Refusal as refusal:
        raise _named(refusal, agent) from None
    await world.follower.caught_up()
    world.record(NodeEvicted(actor, node))


async def post_status(world: World, agent: SpiffeId, version: str) -> None:
    """Remember the version that an agent says it has; nothing is written when it is known.

    Raises: Refusal of kind INVALID, NOT_FOUND, UNAVAILABLE.
    """
    if len(version) > MAX_AGENT_VERSION or not version.isprintable():
        raise Refusal(
            Kind.INVALID,
            f"agent version is not of at most {MAX_AGENT_VERSION} printable characters",
            field="agent_version",
        )
    if version and find_agent(world, agent).agent_version != version:
        await _changed(world, agent, lambda node: replace(node, agent_version=version))


def judge_agent_id(world: World, agent: SpiffeId) -> None:
    """Accept the SPIFFE ID of an agent of this trust domain.

    Raises: Refusal of kind INVALID.
    """
    if agent.trust_domain != world.trust_domain or not is_agent(agent):
        raise Refusal(
            Kind.INVALID,
            f'invalid agent ID: "{agent}" is not an agent of trust domain "{world.trust_domain}"',
            field="id",
            value=str(agent)[:80],
        )


def agent_not_found(agent: SpiffeId) -> Refusal:
    """Say that there is no such agent, in the words that SPIRE's clients know."""
    return Refusal(Kind.NOT_FOUND, "agent not found", field="id", value=str(agent))


async def _changed(world: World, agent: SpiffeId, change: Callable[[Node], Node]) -> Node:
    try:
        node = await world.datastore.update_node(agent, change)
    except Refusal as refusal:
        raise _named(refusal, agent) from None
    await world.follower.caught_up()
    return node


def _named(refusal: Refusal, agent: SpiffeId) -> Refusal:
    return agent_not_found(agent) if refusal.kind is Kind.NOT_FOUND else refusal
