"""When a block begins and ends, and what becomes of another one of the same."""

from pathlib import Path

from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import create_block, end_blocks
from ca.operations.publish_blocks import publish_blocks
from finial.spiffe.refusal import Kind
from tests.doubles.house import House, entry_for, register
from tests.flows.scenes import play, refused
from tests.flows.server_blocks import WEB, wish, x509_svid


def test_what_is_blocked_is_blocked_once(tmp_path: Path) -> None:
    """The same again is refused, with the id of the block that is there."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/web"))
        made = await create_block(built.world, SYSTEM, wish(WEB))
        refusal = await refused(create_block(built.world, SYSTEM, wish(WEB)))
        assert (refusal.kind, refusal.value) == (Kind.EXISTS, made.block.id)

    play(tmp_path, act)


def test_a_block_that_lasts_longer_takes_the_place_of_the_other(tmp_path: Path) -> None:
    """So a temporary block is made a lasting one without letting anything through between."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/web"))
        world, now = built.world, int(built.clock.now())
        first = await create_block(world, SYSTEM, wish(WEB, until=now + 60))
        shorter = create_block(world, SYSTEM, wish(WEB, until=now + 60))
        assert (await refused(shorter)).value == first.block.id
        longer = await create_block(world, SYSTEM, wish(WEB, until=now + 61))
        lasting = await create_block(world, SYSTEM, wish(WEB))
        assert list(world.known.blocks) == [lasting.block]
        built.clock.advance(3600)
        assert world.known.blocks.of_id(WEB, built.clock.now()) == lasting.block
        told = [each for each in built.audit.records if each["kind"] == "block_ended"]
        assert [each["block_id"] for each in told] == [first.block.id, longer.block.id]

    play(tmp_path, act)


def test_a_block_ends_by_itself(tmp_path: Path) -> None:
    """From its end on nothing is refused; then it is forgotten, told and audited."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        end = int(built.clock.now()) + 100
        await create_block(built.world, SYSTEM, wish(WEB, until=end))
        assert (await x509_svid(agent, web.id)).status.code == 7
        built.clock.advance(100)
        assert (await x509_svid(agent, web.id)).status.code == 0
        await publish_blocks(built.world)
        assert built.world.known.blocks_told.value.document.blocks == ()
        # The same may be blocked again, before the former block was swept away.
        await create_block(built.world, SYSTEM, wish(WEB, until=end + 50))
        built.clock.advance(100)
        await end_blocks(built.world)
        assert len(built.world.known.blocks) == 0
        assert built.audit.kinds()[-1] == "block_ended"

    play(tmp_path, act)
