"""Whoever is blocked is told no, from memory; each of these costs nothing while nothing is blocked.

Each raises a Refusal of kind DENIED that gives the block's reason and names its id.
"""

from collections.abc import Collection

from ca.operations.world import World
from ca.registry.block.judge_block import agent_refusal, refusal, serial_refusal
from ca.registry.entry import Entry
from ca.registry.issued import Issued
from finial.blocks import Block
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


def refuse_blocked_caller(world: World, caller: SpiffeId, serial: str) -> None:
    """Refuse whoever calls by a blocked identity, or by an SVID that is blocked itself."""
    if world.known.blocks:
        refuse_blocked_id(world, caller)
        refuse_blocked_serial(world, caller, serial)


def refuse_blocked_id(world: World, spiffe_id: SpiffeId) -> None:
    """Refuse whatever would be done in the name of a blocked identity."""
    blocks = world.known.blocks
    if blocks:
        _refuse(blocks.of_id(spiffe_id, world.clock.now()), f'identity "{spiffe_id}"')


def refuse_blocked_serial(
    world: World, caller: SpiffeId, serial: str, *, reattestable: bool = False
) -> None:
    """Refuse a caller who shows an X.509-SVID that is blocked: itself, or with what gave it."""
    known, now = world.known, world.clock.now()
    if known.blocks:
        told = known.blocks_told.value.lookup.of_serial(serial, now)
        # What was unblocked a moment ago may still be told.
        given = None if told is None else known.blocks.get(told.id)
        block = known.blocks.of_serial(serial, now) or given
        if block is not None:
            raise serial_refusal(block, serial, caller, reattestable=reattestable)


def refuse_blocked_agent(world: World, agent: SpiffeId, selectors: Collection[Selector]) -> None:
    """Refuse an agent that is blocked, itself or by a selector of its node."""
    blocks = world.known.blocks
    block = blocks.of_agent(agent, selectors, world.clock.now()) if blocks else None
    if block is not None:
        raise agent_refusal(block, agent)


def refuse_blocked_entry(world: World, entry: Entry) -> None:
    """Refuse to issue for an entry that is blocked."""
    blocks = world.known.blocks
    if blocks:
        what = f'entry {entry.id} of "{entry.spiffe_id}"'
        _refuse(blocks.of_entry(entry, world.clock.now()), what)


def refuse_blocked_svid(world: World, svid: Issued) -> None:
    """Refuse to give away an SVID that was blocked while it was made."""
    known, now = world.known, world.clock.now()
    if not known.blocks:
        return
    entry = known.entries.get(svid.entry_id)
    found = known.blocks.of_issued(svid, now)
    if found is None and entry is not None:
        found = known.blocks.of_entry(entry, now)
    if found is None and svid.agent_id and known.blocks.names_selectors:
        node = known.nodes.get(SpiffeId.parse(svid.agent_id))
        found = known.blocks.of_selectors(node.selectors if node else (), now)
    _refuse(found, f'identity "{svid.spiffe_id}"')


def _refuse(block: Block | None, what: str) -> None:
    if block is not None:
        raise refusal(block, what)
