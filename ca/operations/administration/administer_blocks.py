"""Administrators block and unblock, and are told beforehand what a block hits.

The order of a block: judge, look at what it hits, store it (durable), memory (from here on nothing
is issued and blocked agents are cut off), the audit, then the document for agents, which is pushed
at once. Whoever blocks may wait for the agents to say that it has taken effect.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ca.datastore.blocks import block_not_found
from ca.events.happened import SYSTEM, Actor
from ca.events.locked_out import Blocked, BlockEnded, Unblocked
from ca.operations.following.streams import BLOCKS
from ca.operations.publish_blocks import publish_blocks, wanted_by
from ca.operations.world import World
from ca.registry.block.judge_block import judge_end, judge_reason, read_subject
from ca.registry.block.outlook import Outlook, holders_of
from ca.registry.block.reach import MAX_SIZE, entries_of, reach_of, size_of
from ca.registry.issued import Issued
from finial.blocks import Block, SubjectKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import server_id

LONGEST_WAIT: Final = 10.0
_ALONE: Final = (SubjectKind.SERIAL, SubjectKind.JTI)


@dataclass(frozen=True, slots=True)
class BlockWish:
    """What is to be blocked and why; `until` is in Unix seconds, 0 for until it is unblocked."""

    kind: SubjectKind
    subject: str
    reason: str
    until: int = 0


@dataclass(frozen=True, slots=True)
class Reception:
    """Which agents enforce a version of the blocks, which have not said so, which are away.

    `deaf` are agents that are connected and know nothing of blocks; from them what is blocked is
    withheld. `seconds` is how long it took until the last of `applied` had said so.
    """

    version: int
    applied: tuple[SpiffeId, ...] = ()
    waiting: tuple[SpiffeId, ...] = ()
    deaf: tuple[SpiffeId, ...] = ()
    unreachable: tuple[SpiffeId, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Blocking:
    """A block, what it hits, and, if it is in force, who enforces it by now."""

    block: Block
    outlook: Outlook
    reception: Reception | None = field(default=None)


async def preview_block(
    world: World, actor: Actor, wish: BlockWish, *, force: bool = False
) -> Blocking:
    """Say what a block would hit, and block nothing.

    Raises: Refusal of kind INVALID; PRECONDITION for the server's own ID; NOT_FOUND when nothing
        that is known would be hit, without `force`.
    """
    block = _judged(world, actor, wish)
    return Blocking(block, await _outlook(world, block, empty=force))


async def create_block(
    world: World, actor: Actor, wish: BlockWish, *, wait: float = 0.0, force: bool = False
) -> Blocking:
    """Block something, at once; wait at most so many seconds until agents enforce it.

    It takes the place of a block of the same that ends sooner, without a moment between.

    Raises: Refusal of kind INVALID; PRECONDITION for the server's own ID; NOT_FOUND when nothing
        that is known would be hit, without `force`; EXISTS when it is blocked already for as
        long; EXHAUSTED; UNAVAILABLE.
    """
    block = _judged(world, actor, wish)
    if size_of((*world.known.blocks, block)) > MAX_SIZE:
        raise Refusal(
            Kind.EXHAUSTED,
            f"{len(world.known.blocks)} blocks are as many as agents can be told",
            remedy="unblock what is over, or block what several have in common",
        )
    if block.kind in _ALONE or not _is_registered(world, block):
        await _outlook(world, block, empty=force)
    begun = world.clock.monotonic()
    before = await world.datastore.create_block(block)
    await world.follower.caught_up()
    world.record(*([BlockEnded(actor, before)] if before else []), Blocked(actor, block))
    await publish_blocks(world)
    reception = await _received(world, begun, min(wait, LONGEST_WAIT))
    # Looked at once more: what was issued until the block was in force is in the ledger now.
    return Blocking(block, await _outlook(world, block, in_force=True), reception)


async def remove_block(world: World, actor: Actor, block_id: str) -> Block:
    """Unblock something; SVIDs of before that have not expired are good again.

    Raises: Refusal of kind NOT_FOUND, UNAVAILABLE.
    """
    block = await world.datastore.delete_block(block_id)
    await world.follower.caught_up()
    world.record(Unblocked(actor, block))
    await publish_blocks(world)
    return block


async def show_block(world: World, block_id: str) -> Blocking:
    """Say what a block hits now, and who enforces it.

    Raises: Refusal of kind NOT_FOUND.
    """
    block = world.known.blocks.get(block_id)
    if block is None:
        raise block_not_found(block_id)
    return Blocking(block, await _outlook(world, block, in_force=True), reception(world))


def list_blocks(world: World) -> tuple[Block, ...]:
    """Return the blocks that are in force, in the order in which they began."""
    return world.known.blocks.holding(world.clock.now())


async def end_blocks(world: World) -> None:
    """Forget the blocks whose time is over."""
    ended = await world.datastore.prune_blocks(world.clock.now())
    await world.follower.caught_up()
    world.record(*(BlockEnded(SYSTEM, each) for each in ended))


def reception(world: World) -> Reception:
    """Say which agents enforce what was told last of the blocks."""
    version = world.known.blocks_told.value.document.version
    applied, waiting, deaf, unreachable = [], [], [], []
    for node in world.known.nodes:
        streams = world.streams.of(node.id)
        if world.known.blocks.of_agent(node.id, node.selectors, world.clock.now()) is not None:
            continue
        if not streams:
            if node.good_until > world.clock.now():
                unreachable.append(node.id)
        elif not world.streams.knows(node.id, BLOCKS):
            deaf.append(node.id)
        elif any(each.applied.get(BLOCKS, 0) == version for each in streams):
            applied.append(node.id)
        else:
            waiting.append(node.id)
    return Reception(version, tuple(applied), tuple(waiting), tuple(deaf), tuple(unreachable))


async def _received(world: World, begun: float, wait: float) -> Reception:
    """Wait until every agent that is listening has said that it enforces the blocks."""
    changed = asyncio.Event()
    stop = world.streams.applied.follow(changed.set)
    alarm = asyncio.ensure_future(world.clock.sleep(wait)) if wait > 0 else None
    try:
        while True:
            found = reception(world)
            if alarm is None or alarm.done() or not found.waiting:
                break
            changed.clear()
            heard = asyncio.ensure_future(changed.wait())
            await asyncio.wait({heard, alarm}, return_when=asyncio.FIRST_COMPLETED)
            heard.cancel()
    finally:
        stop()
        if alarm is not None:
            alarm.cancel()
    return Reception(
        found.version,
        found.applied,
        found.waiting,
        found.deaf,
        found.unreachable,
        world.clock.monotonic() - begun,
    )


def _judged(world: World, actor: Actor, wish: BlockWish) -> Block:
    kind, subject = read_subject(wish.kind, wish.subject, world.trust_domain)
    now = world.clock.now()
    return Block(
        id=world.entropy.uuid(),
        kind=kind,
        subject=subject,
        reason=judge_reason(wish.reason),
        since=int(now),
        until=judge_end(wish.until, now),
        who=actor.name,
    )


async def _outlook(
    world: World, block: Block, *, in_force: bool = False, empty: bool = False
) -> Outlook:
    """Look at what a block hits; in force, or with `empty`, that may be nothing.

    Raises: Refusal of kind NOT_FOUND.
    """
    entries = tuple(entries_of(block, world.known.entries))
    reach = reach_of((block,), world.known.entries, world.known.nodes)
    reach.hold(world.revocation.held or ())
    svids, more = await world.datastore.live_svids(wanted_by(reach), world.clock.now())
    agents = frozenset(map(SpiffeId.parse, reach.agents))
    # One that is blocked is cut off, whether its connection has ended by now or not.
    connected = frozenset(world.streams.agents) - (agents if in_force else frozenset())
    away = {
        node.id: int(world.streams.left_at(node.id) or 0)
        for node in world.known.nodes
        if node.id not in connected and node.good_until > world.clock.now()
    }
    _spare_server(world, svids)
    outlook = Outlook(
        entries,
        tuple(svids),
        holders_of(svids, connected, away),
        tuple(away),
        tuple(agent for agent in sorted(agents) if world.known.nodes.get(agent) is not None),
        more,
        _is_federated(world, block),
    )
    if outlook.is_empty and not (in_force or empty):
        raise Refusal(
            Kind.NOT_FOUND,
            "this hits nothing: no entry, no agent and no live SVID",
            field="subject",
            value=block.subject[:80],
            remedy="check the spelling; force it if the server need not know what it hits",
        )
    return outlook


def _is_registered(world: World, block: Block) -> bool:
    """Whether memory knows something that it hits, so that the ledger need not be asked first."""
    known = world.known
    if next(entries_of(block, known.entries), None) is not None:
        return True
    agents = reach_of((block,), known.entries, known.nodes).agents
    return any(known.nodes.get(SpiffeId.parse(each)) is not None for each in agents)


def _spare_server(world: World, svids: Sequence[Issued]) -> None:
    own = str(server_id(world.trust_domain))
    if any(each.spiffe_id == own for each in svids):
        raise Refusal(
            Kind.PRECONDITION,
            "this is an SVID of the server's own, without which no agent could be told anything",
            field="subject",
            remedy="restart the server to give it another one",
        )


def _is_federated(world: World, block: Block) -> bool:
    """Whether it is an identity of a trust domain whose bundle we have, whoever has issued it."""
    if block.kind is not SubjectKind.SPIFFE_ID:
        return False
    return SpiffeId.parse(block.subject).trust_domain in world.known.federated.value
