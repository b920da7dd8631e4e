"""What is of no use any more is forgotten: tokens, entries, ledger, changes, nodes, authorities."""

import logging
from dataclasses import replace
from typing import Final

from ca.events.happened import SYSTEM, EntryDeleted, NodeEvicted
from ca.operations.world import World
from finial.spiffe.bundle import Bundle

KEPT_AUTHORITY: Final = 24 * 3600
_logger = logging.getLogger("finial.ca.prune")


async def prune_expired_entries(world: World) -> None:
    """Delete the entries that have expired (BE-13)."""
    expired = await world.datastore.prune_expired_entries(world.clock.now())
    await world.follower.caught_up()
    world.record(*(EntryDeleted(SYSTEM, entry) for entry in expired))
    if expired:
        _logger.info("%d entries had expired and were deleted", len(expired))


async def prune_records(world: World) -> None:
    """Forget join tokens, rows of the ledger and changes that are too old to matter."""
    now = world.clock.now()
    await world.datastore.prune_join_tokens(now)
    await world.datastore.prune_issued(now)
    await world.datastore.prune_changes(now)


async def prune_nodes(world: World) -> None:
    """Evict agents that have been expired for longer than the settings say (7.13)."""
    server = world.settings.server
    if server.prune_attested_nodes_expired_for is None:
        return
    evicted = await world.datastore.prune_nodes(
        world.clock.now() - server.prune_attested_nodes_expired_for,
        once_only_too=server.prune_tofu_nodes,
        limit=server.prune_attested_nodes_batch_size,
    )
    await world.follower.caught_up()
    world.record(*(NodeEvicted(SYSTEM, node) for node in evicted))


async def prune_bundle(world: World) -> None:
    """Take out of our bundle what has been expired for more than a day (7.4).

    Our own authorities leave it when they retire; this is for those that others appended. It stops
    rather than leave no CA.
    """
    limit = world.clock.now() - KEPT_AUTHORITY

    def prune(bundle: Bundle) -> Bundle:
        x509 = tuple(each for each in bundle.x509_authorities if each.not_after >= limit)
        jwt = tuple(
            each
            for each in bundle.jwt_authorities
            if not each.expires_at or each.expires_at >= limit
        )
        if not x509:
            return bundle
        return replace(bundle, x509_authorities=x509, jwt_authorities=jwt)

    if prune(world.known.bundle.value) != world.known.bundle.value:
        await world.datastore.update_bundle(prune)
        await world.follower.caught_up()
