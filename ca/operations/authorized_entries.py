"""What an agent is entitled to, from memory."""

from ca.operations.blocked import refuse_blocked_entry
from ca.operations.following.streams import BLOCKS
from ca.operations.world import World
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal


def authorized_entries(world: World, agent: SpiffeId) -> tuple[Entry, ...]:
    """Return the agent's entries, sorted by id (spire-features 7.7)."""
    node = world.known.nodes.get(agent)
    return world.known.entries.authorized(agent, node.selectors if node else ())


def served_entries(world: World, agent: SpiffeId) -> tuple[Entry, ...]:
    """Return the entries that the agent may serve now, sorted by id.

    What is blocked is withheld from an agent that does not know of blocks. One that does keeps the
    entry and refuses its callers, so that it can tell them why.
    """
    entries = authorized_entries(world, agent)
    if not world.known.blocks or world.streams.knows(agent, BLOCKS):
        return entries
    now = world.clock.now()
    return tuple(each for each in entries if world.known.blocks.of_entry(each, now) is None)


def authorized_entry(world: World, agent: SpiffeId, entry_id: str) -> Entry | None:
    """Find one of the agent's entries."""
    node = world.known.nodes.get(agent)
    return world.known.entries.authorized_entry(agent, node.selectors if node else (), entry_id)


def require_entry(world: World, agent: SpiffeId, entry_id: str) -> Entry:
    """Return one of the agent's entries, for which something is to be issued.

    Raises: Refusal of kind INVALID, NOT_FOUND; DENIED when it is blocked.
    """
    if not entry_id:
        raise Refusal(Kind.INVALID, "missing entry ID", field="entry_id")
    entry = authorized_entry(world, agent, entry_id)
    if entry is None:
        raise Refusal(
            Kind.NOT_FOUND,
            "entry not found or not authorized",
            field="entry_id",
            value=entry_id[:255],
        )
    refuse_blocked_entry(world, entry)
    return entry
