"""Time is a way in too: what the server does without being asked.

No sleep is longer than a few seconds where something may be due, so that a machine that was
suspended, or whose clock was set, heals by itself.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from ca.operations.administration.administer_blocks import end_blocks
from ca.operations.ask_standing import ask_again
from ca.operations.collect_traffic import collect_traffic
from ca.operations.prune import (
    prune_bundle,
    prune_expired_entries,
    prune_nodes,
    prune_records,
)
from ca.operations.publish_blocks import publish_blocks
from ca.operations.publish_policies import publish_policies
from ca.operations.rotate_authority import rotate_authorities
from ca.operations.server_identity import ServerIdentity, is_due, renew_server_identity
from ca.operations.world import World
from finial.runtime.files import write_public
from finial.runtime.watch import Watch
from finial.spiffe.bundle_document import render_pem

LONGEST_ROTATION_SLEEP: Final = 10.0
LONGEST_IDENTITY_SLEEP: Final = 5.0
SHORTEST_SLEEP: Final = 0.02
LONGEST_BLOCKS_SLEEP: Final = 30.0
STANDINGS_EVERY: Final = 1.0
BETWEEN_POLICIES: Final = 0.1
BETWEEN_BLOCKS: Final = 0.5
LONGEST_QUIET: Final = 60.0
BLOCKS_EVERY: Final = 300.0
ENTRIES_EVERY: Final = 300.0
RECORDS_EVERY: Final = 600.0
TRAFFIC_EVERY: Final = 30.0
NODES_EVERY: Final = 3600.0
BUNDLE_EVERY: Final = 6 * 3600.0
BEATS: Final = 10
"""Into how many parts the streams are divided, so that not all hearts beat at once."""


async def rotate(world: World) -> None:
    """Look after our authorities (BX-02)."""
    while True:
        world.known.rotation_wanted.clear()
        wake = await rotate_authorities(world)
        wake = min(wake, world.clock.now() + LONGEST_ROTATION_SLEEP)
        await _until_wanted(world, world.known.rotation_wanted, wake)


async def keep_identity(
    world: World, identity: Watch[ServerIdentity], dns_names: tuple[str, ...]
) -> None:
    """Renew an SVID of the server's at half-life, or when its authority is gone (BL-07)."""
    while True:
        if is_due(world, identity.value):
            identity.set(await renew_server_identity(world, dns_names))
        await _sleep_until(world, identity.value.renew_at, LONGEST_IDENTITY_SLEEP)


async def prune_entries(world: World) -> None:
    """Delete expired entries every five minutes (BE-13)."""
    await _every(world, ENTRIES_EVERY, prune_expired_entries)


async def prune_ledger(world: World) -> None:
    """Forget old tokens, changes and rows of the ledger."""
    await _every(world, RECORDS_EVERY, prune_records)


async def prune_agents(world: World) -> None:
    """Evict agents that have been expired for long (7.13)."""
    await _every(world, NODES_EVERY, prune_nodes)


async def prune_authorities(world: World) -> None:
    """Take expired authorities out of the bundle (7.4)."""
    await _every(world, BUNDLE_EVERY, prune_bundle)


async def safety_poll(world: World) -> None:
    """Look for what other servers wrote, and for what we may have missed."""
    while True:
        await world.clock.sleep(world.settings.server.safety_poll)
        await world.follower.poll()


async def follow_blocks(world: World) -> None:
    """Tell agents what is blocked, whenever it may be something else than before."""
    stop = world.known.signers.follow(world.known.blocks_wanted.set)
    try:
        while True:
            await publish_blocks(world)
            # Whoever blocks publishes it at once; what else changes may come often.
            await world.clock.sleep(BETWEEN_BLOCKS)
            await _until_wanted(world, world.known.blocks_wanted, _blocks_due(world))
    finally:
        stop()


async def follow_policies(world: World) -> None:
    """Tell agents who may call whom, whenever it may be other than before."""
    while True:
        await world.known.policies_wanted.wait()
        await publish_policies(world)
        # Many entries that come one by one are told together.
        await world.clock.sleep(BETWEEN_POLICIES)


async def follow_standings(world: World) -> None:
    """Ask the status hook again about whoever its answer no longer counts for."""
    while True:
        await ask_again(world)
        await world.clock.sleep(STANDINGS_EVERY)


async def prune_blocks(world: World) -> None:
    """Forget blocks whose time is over; they ended by themselves before."""
    await _every(world, BLOCKS_EVERY, end_blocks)


async def gather_traffic(world: World) -> None:
    """Ask agents who called whom, also when nobody looks: they may be gone when somebody does."""
    while True:
        await collect_traffic(world, TRAFFIC_EVERY)
        await world.clock.sleep(TRAFFIC_EVERY)


async def heartbeat(world: World) -> None:
    """Let every agent know, now and then, that its stream is alive: one timer for all streams."""
    pause = world.settings.server.heartbeat / BEATS
    for tick in count():
        await world.clock.sleep(pause)
        world.streams.beat(tick % BEATS, BEATS, world.clock.now())


async def publish_bundle(world: World, path: Path) -> None:
    """Write our bundle beside the data whenever it changes."""
    async for bundle in world.known.bundle.changes():
        write_public(path, render_pem(bundle))


def _blocks_due(world: World) -> float:
    known, now = world.known, world.clock.now()
    if not known.blocks:
        return now + LONGEST_QUIET
    return min(known.blocks.next_end(now) or math.inf, now + LONGEST_BLOCKS_SLEEP)


async def _until_wanted(world: World, wanted: asyncio.Event, instant: float) -> None:
    asleep = asyncio.ensure_future(_sleep_until(world, instant, LONGEST_QUIET))
    waiting = asyncio.ensure_future(wanted.wait())
    try:
        first: set[asyncio.Future[Any]] = {asleep, waiting}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asleep.cancel()
        waiting.cancel()


async def _sleep_until(world: World, instant: float, longest: float) -> None:
    left = instant - world.clock.now()
    await world.clock.sleep(min(max(left, SHORTEST_SLEEP), longest))


async def _every(world: World, seconds: float, act: Callable[[World], Awaitable[None]]) -> None:
    """Act at the start and then so often; the clock's longest sleep is a minute."""
    due = world.clock.monotonic()
    while True:
        if world.clock.monotonic() >= due:
            await act(world)
            due = world.clock.monotonic() + seconds
        await world.clock.sleep(due - world.clock.monotonic())
