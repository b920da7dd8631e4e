"""An agent calls with its SVID: judged from memory; only the first use of a new one is written."""

from ca.operations.blocked import refuse_blocked_agent, refuse_blocked_serial
from ca.operations.world import World
from ca.registry.nodes.node import Node
from ca.registry.nodes.standing import Standing, judge_agent
from finial.spiffe.identity import SpiffeId


def standing_of(world: World, agent: SpiffeId, serial: str, not_after: int) -> Standing:
    """Judge an agent by the serial number (decimal) and the end of the SVID that it shows.

    Raises: Refusal of kind DENIED, with the reason.
    """
    node = world.known.nodes.get(agent)
    refuse_blocked_agent(world, agent, node.selectors if node else ())
    reattestable = node is not None and node.can_reattest
    refuse_blocked_serial(world, agent, serial, reattestable=reattestable)
    return judge_agent(node, serial, not_after, world.clock.now(), agent=agent)


async def first_use(world: World, agent: SpiffeId, serial: str, not_after: int) -> None:
    """Make a renewed SVID the agent's only one, because it was used (BR-03).

    Raises: Refusal of kind NOT_FOUND, DENIED, UNAVAILABLE.
    """
    now = world.clock.now()

    def promote(node: Node) -> Node:
        return judge_agent(node, serial, not_after, now, agent=agent).node

    await world.datastore.update_node(agent, promote)
    await world.follower.caught_up()
