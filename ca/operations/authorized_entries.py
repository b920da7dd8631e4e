"""What an agent is entitled to, from memory."""

from ca.operations.world import World
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal


def authorized_entries(world: World, agent: SpiffeId) -> tuple[Entry, ...]:
    """Return the agent's entries, sorted by id (spire-features 7.7)."""
    node = world.known.nodes.get(agent)
    return world.known.entries.authorized(agent, node.selectors if node else ())


def authorized_entry(world: World, agent: SpiffeId, entry_id: str) -> Entry | None:
    """Find one of the agent's entries."""
    node = world.known.nodes.get(agent)
    return world.known.entries.authorized_entry(agent, node.selectors if node else (), entry_id)


def require_entry(world: World, agent: SpiffeId, entry_id: str) -> Entry:
    """Return one of the agent's entries.

    Raises: Refusal of kind INVALID, NOT_FOUND.
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
    return entry
