"""The status hook: an external service has a say about who gets an identity.

Rules: it is asked before anything is issued in a workload's name, and again whenever its answer is
over, as long as something may live that was issued. Whom it denies is blocked, with an end a little
after the answer's, so that agents refuse it too; when it allows again that block is lifted. What it
does not know is let be. Where it cannot be asked, nothing that was decided changes, and such a
block is given another end; what would be issued is issued or refused, as the operator chose.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from ca.events.happened import Actor, ActorKind
from ca.events.locked_out import Blocked, BlockEnded
from ca.issuance.profile import Role
from ca.operations.administration.administer_blocks import remove_block
from ca.operations.hook_client import HookClient
from ca.operations.publish_blocks import publish_blocks
from ca.operations.world import World
from ca.registry.block.reach import MAX_SIZE, size_of
from ca.registry.standing_answer import Opinion, StandingAnswer
from finial.blocks import Block, SubjectKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

HOOK: Final = Actor(ActorKind.SYSTEM, "status hook")
GRACE: Final = 10
"""Seconds that a block outlasts the answer, in which the service is asked again."""

LAST_MOMENT: Final = 5
"""So many seconds before its end a block is prolonged, if nobody has answered by then."""

PROLONGED_BY: Final = 60
AT_ONCE: Final = 16
_logger = logging.getLogger("finial.ca.hook")


async def judge_standing(world: World, spiffe_ids: Iterable[SpiffeId]) -> dict[SpiffeId, Refusal]:
    """Ask about identities for which something is to be issued, unless an answer still counts.

    Returned are those for whom nothing may be issued: the service denies them, and then they are
    blocked when this returns; or it could not be asked, where the operator wants that to matter.
    """
    client = world.hook
    if client is None:
        return {}
    wanted, answers = set(spiffe_ids), world.known.standings
    asked = [each for each in wanted if answers.get(each, world.clock.now()) is None]
    found = await _ask_all(world, client, asked, used=True)
    refused = {each: _denied(each, answers.get(each, world.clock.now())) for each in wanted}
    if client.hook.on_failure == "closed":
        refused.update((i, fault) for i, fault in found.items() if isinstance(fault, Refusal))
    return {each: refusal for each, refusal in refused.items() if refusal is not None}


async def refuse_unasked(world: World, spiffe_id: SpiffeId) -> None:
    """Ask about one identity, as `judge_standing` does.

    Raises: Refusal of kind DENIED; UNAVAILABLE where it matters that the service is not there.
    """
    for refusal in (await judge_standing(world, (spiffe_id,))).values():
        raise refusal


async def ask_again(world: World) -> None:
    """Ask about everybody whose answer is over, and about who is denied by one we do not know.

    A server that has just started knows no answers, and of very many it keeps the latest.
    """
    client, answers = world.hook, world.known.standings
    if client is None:
        return
    await _prolong(world, client)
    due = answers.due(world.clock.now(), partial(_life, world))
    denied = (SpiffeId.parse(each.subject) for each in _own_blocks(world))
    forgotten = tuple(each for each in denied if each not in answers)
    await _ask_all(world, client, (*forgotten, *due), used=False)


async def _ask_all(
    world: World, client: HookClient, asked: Iterable[SpiffeId], *, used: bool
) -> dict[SpiffeId, StandingAnswer | Refusal]:
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(spiffe_id: SpiffeId) -> StandingAnswer | Refusal:
        async with room:
            try:
                answer = await client.ask(spiffe_id, world.clock.now())
            except Refusal as refusal:
                _logger.warning("%s: %s", spiffe_id, refusal)
                await _prolong(world, client)
                return refusal
        world.known.standings.put(spiffe_id, answer, world.clock.now(), used=used)
        async with client.heeding:
            await _heed(world, spiffe_id, answer)
        await _prolong(world, client)
        return answer

    ids = tuple(asked)
    return dict(zip(ids, await asyncio.gather(*map(ask, ids)), strict=True))


async def _heed(world: World, spiffe_id: SpiffeId, answer: StandingAnswer) -> None:
    """Block whom the service denies, and lift the block that was made so when it does no more."""
    block = world.known.blocks.on(SubjectKind.SPIFFE_ID, str(spiffe_id))
    ours = block is not None and block.who == HOOK.name
    if answer.opinion is not Opinion.DENY:
        if block is not None and ours:
            with _unless(Kind.NOT_FOUND):
                await remove_block(world, HOOK, block.id)
        return
    until = math.ceil(answer.until) + GRACE
    if block is not None and block.holds(world.clock.now()):
        if ours:
            await world.datastore.extend_block(block.id, until)
            await world.follower.caught_up()
        return
    with _unless(Kind.EXISTS):
        await _block(world, spiffe_id, answer, until)


async def _block(world: World, spiffe_id: SpiffeId, answer: StandingAnswer, until: int) -> None:
    made = Block(
        id=world.entropy.uuid(),
        kind=SubjectKind.SPIFFE_ID,
        subject=str(spiffe_id),
        reason=_reason(answer),
        since=int(world.clock.now()),
        until=until,
        who=HOOK.name,
    )
    if size_of((*world.known.blocks, made)) > MAX_SIZE:
        _logger.warning("%s is denied, and there is no room to tell agents of it", spiffe_id)
        return
    before = await world.datastore.create_block(made)
    await world.follower.caught_up()
    world.record(*([BlockEnded(HOOK, before)] if before else []), Blocked(HOOK, made))
    await publish_blocks(world)


async def _prolong(world: World, client: HookClient) -> None:
    """Let no denial end because the service is away, or slow: only its answer ends one."""
    async with client.heeding:
        now = world.clock.now()
        ending = [each for each in _own_blocks(world) if each.until - now <= LAST_MOMENT]
        for block in ending:
            await world.datastore.extend_block(block.id, math.ceil(now) + PROLONGED_BY)
        if ending:
            await world.follower.caught_up()


def _own_blocks(world: World) -> tuple[Block, ...]:
    holding = world.known.blocks.holding(world.clock.now())
    return tuple(each for each in holding if each.who == HOOK.name)


def _life(world: World, spiffe_id: SpiffeId) -> float:
    """How many seconds what is issued for an identity may live."""
    profiles = world.profiles
    return max(
        (
            max(
                profiles.x509_lifetime(Role.WORKLOAD, each.x509_svid_ttl),
                profiles.jwt_lifetime(each.jwt_svid_ttl),
            )
            for each in world.known.entries.granting(spiffe_id)
        ),
        default=0,
    )


@contextlib.contextmanager
def _unless(kind: Kind) -> Iterator[None]:
    """Let it be where an administrator or another server was faster."""
    try:
        yield
    except Refusal as refusal:
        if refusal.kind is not kind:
            raise


def _denied(spiffe_id: SpiffeId, answer: StandingAnswer | None) -> Refusal | None:
    if answer is None or answer.opinion is not Opinion.DENY:
        return None
    return Refusal(
        Kind.DENIED, f'identity "{spiffe_id}" is blocked: {_reason(answer)}', field="block"
    )


def _reason(answer: StandingAnswer) -> str:
    return f"denied by the status hook: {answer.reason or 'no reason given'}"
