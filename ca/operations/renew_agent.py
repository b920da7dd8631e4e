"""An agent renews its own SVID; old and new count until the new one is used (BR-03)."""

from functools import partial

from ca.events.happened import Actor, NodeRenewed, SvidsIssued
from ca.issuance.profile import Role
from ca.issuance.request import judge_csr
from ca.operations.administration.administer_agents import find_agent
from ca.operations.blocked import refuse_blocked_agent
from ca.operations.issuing.issue_other_svids import seal_leaf
from ca.operations.issuing.issue_svids import IssuedX509
from ca.operations.world import World
from ca.registry.nodes.standing import judge_renewal, renewed
from finial.spiffe.identity import SpiffeId


async def renew_agent(world: World, actor: Actor, agent: SpiffeId, csr: bytes) -> IssuedX509:
    """Issue an agent's next SVID.

    Raises: Refusal of kind DENIED (it can attest again instead), NOT_FOUND, INVALID, UNAVAILABLE.
    Spec: SPIRE BR-02, BR-03.
    """
    judge_renewal(find_agent(world, agent))
    svid = await seal_leaf(world, Role.AGENT, agent, judge_csr(csr).public_key)
    issued = svid.issued
    node = await world.datastore.renew_node(
        agent,
        partial(renewed, serial=issued.serial, expires_at=issued.expires_at),
        issued,
    )
    await world.follower.caught_up()
    world.record(NodeRenewed(actor, node), SvidsIssued(actor, (issued,)))
    refuse_blocked_agent(world, agent, node.selectors)
    return svid
