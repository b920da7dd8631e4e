"""How an identity stands: who has it by which entries, what lives of it, whether it is blocked."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from ca.datastore.blocks import Wanted
from ca.datastore.ledger import IssuedFilter
from ca.operations.world import World
from ca.registry.block.outlook import Holder, holders_of
from ca.registry.entry import Entry
from ca.registry.issued import Issued
from ca.registry.nodes.node import Node
from finial.blocks import Block
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

LONGEST_WATCH: Final = 60.0
LOOK_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class IdentityStanding:
    """What is known of one identity now.

    `svids` are live, those that end last first, and `more` says that there are others. `last_seen`
    is when something was last issued for it, in Unix seconds, 0 if the ledger remembers nothing.
    `blocks` are all that keep it from anything: its own, those of its entries, of its SVIDs, and of
    agents that obtained these. `is_blocked` says that it gets nothing at all by any of its entries.
    """

    id: SpiffeId
    entries: tuple[Entry, ...]
    svids: tuple[Issued, ...]
    holders: tuple[Holder, ...]
    blocks: tuple[Block, ...]
    is_blocked: bool
    last_seen: int
    node: Node | None = None
    more: bool = False


async def identity_standing(world: World, spiffe_id: SpiffeId) -> IdentityStanding:
    """Look at an identity.

    Raises: Refusal of kind NOT_FOUND when nothing is known of it.
    """
    known, now = world.known, world.clock.now()
    entries = tuple(sorted(known.entries.granting(spiffe_id), key=lambda each: each.id))
    svids, more = await world.datastore.live_svids(Wanted(frozenset((str(spiffe_id),))), now)
    latest = await world.datastore.list_issued(IssuedFilter(spiffe_id=str(spiffe_id)), 1)
    node = known.nodes.get(spiffe_id)
    own = _own_block(world, spiffe_id, node)
    by_entry = [known.blocks.of_entry(each, now) for each in entries]
    by_svid = (known.blocks.of_issued(each, now) for each in svids)
    blocks = {each.id: each for each in (own, *by_entry, *by_svid) if each is not None}
    if not (entries or latest.items or node or blocks):
        raise Refusal(
            Kind.NOT_FOUND,
            "nothing is known of this identity: no entry, nothing issued, not blocked",
            field="id",
            value=str(spiffe_id)[:80],
        )
    connected = frozenset(world.streams.agents)
    away = {each.id: int(world.streams.left_at(each.id) or 0) for each in known.nodes}
    return IdentityStanding(
        spiffe_id,
        entries,
        tuple(svids),
        holders_of(svids, connected, away),
        tuple(blocks.values()),
        own is not None or (bool(by_entry) and all(by_entry)),
        max((each.issued_at for each in latest.items), default=0),
        node,
        more,
    )


async def watch_identity(
    world: World, spiffe_id: SpiffeId, seen: IdentityStanding, wait: float
) -> IdentityStanding:
    """Return how an identity stands once that is other than `seen`, or after so many seconds.

    What is registered or blocked is noticed at once, what is issued within a second.

    Raises: Refusal of kind NOT_FOUND.
    """
    end = world.clock.monotonic() + min(wait, LONGEST_WATCH)
    changed = asyncio.Event()
    stop = world.known.blocks_told.follow(changed.set)
    try:
        while True:
            found = await identity_standing(world, spiffe_id)
            left = end - world.clock.monotonic()
            if found != seen or left <= 0:
                return found
            changed.clear()
            await _either(world, changed, min(left, LOOK_EVERY))
    finally:
        stop()


def _own_block(world: World, spiffe_id: SpiffeId, node: Node | None) -> Block | None:
    blocks, now = world.known.blocks, world.clock.now()
    return blocks.of_id(spiffe_id, now) or blocks.of_agent(
        spiffe_id, node.selectors if node else (), now
    )


async def _either(world: World, changed: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(changed.wait())
    asleep = asyncio.ensure_future(world.clock.sleep(seconds))
    try:
        first: set[asyncio.Future[Any]] = {waiting, asleep}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        asleep.cancel()
