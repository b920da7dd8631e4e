"""What a selector's block has hit stays hit, whatever becomes of entries and nodes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import (
    create_block,
    end_blocks,
    remove_block,
    show_block,
)
from ca.operations.publish_blocks import publish_blocks
from finial.blocks import Block, SubjectKind
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.wire.pb import entry_pb2, svid_pb2, types_pb2
from tests.doubles.house import House, entry_for, register
from tests.flows.scenes import play
from tests.flows.server_blocks import revoked, serial_of, wish, x509_svid

IMAGE = "docker:label:app:orders"


@pytest.mark.parametrize("act_on_entry", ["delete", "change"])
def test_an_entry_that_is_mended_makes_no_svid_good_again(
    tmp_path: Path, act_on_entry: str
) -> None:
    """Nor does one that is deleted, also over a restart; lifting the block does."""

    async def act(built: House) -> None:
        agent, local, world = await built.join(), await built.local(), built.world
        [web] = await register(local, entry_for(agent.id, "/web", IMAGE))
        leaked = serial_of(await x509_svid(agent, web.id))
        asked = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["them"])
        await agent.client.call("SVID.NewJWTSVID", asked)
        made = await create_block(world, SYSTEM, wish(IMAGE, SubjectKind.SELECTOR))
        jtis = world.known.blocks_told.value.document.jtis
        assert len(jtis) == 1
        if act_on_entry == "delete":
            gone = entry_pb2.BatchDeleteEntryRequest(ids=[web.id])
            await local.call("Entry.BatchDeleteEntry", gone)
        else:
            mended = types_pb2.Entry()
            mended.CopyFrom(web)
            mended.selectors[0].value = "label:app:orders-2"
            await local.call(
                "Entry.BatchUpdateEntry", entry_pb2.BatchUpdateEntryRequest(entries=[mended])
            )
            assert (await x509_svid(agent, web.id)).status.code == 0
        for _ in range(2):
            document = await publish_blocks(world)
            assert document.entries == {}
            assert document.serials == {str(leaked): made.block.id}
            assert document.jtis == jtis
            assert revoked(built) == {leaked}
            assert len((await show_block(world, made.block.id)).outlook.svids) == 2
            # As after a restart, when only the datastore knows.
            world.revocation.held = None
        await remove_block(world, SYSTEM, made.block.id)
        assert revoked(built) == set()
        assert await world.datastore.load_held_svids() == []

    play(tmp_path, act)


def test_a_node_that_shows_something_else_makes_no_svid_good_again(tmp_path: Path) -> None:
    """What it obtained while it showed a blocked selector stays blocked until that has ended."""

    async def act(built: House) -> None:
        agent, local, world = await built.join(), await built.local(), built.world
        [web] = await register(local, entry_for(agent.id, "/web"))
        leaked = serial_of(await x509_svid(agent, web.id))
        node = world.known.nodes.get(agent.id)
        assert node is not None
        world.known.nodes.apply([replace(node, selectors=(Selector("x", "1"),))], [])
        end = int(built.clock.now()) + 60
        await create_block(world, SYSTEM, wish("x:1", SubjectKind.SELECTOR, until=end))
        world.known.nodes.apply([node], [])
        await publish_blocks(world)
        assert revoked(built) == {leaked, agent.svid.serial}
        built.clock.advance(60)
        await end_blocks(world)
        await publish_blocks(world)
        assert revoked(built) == set()
        assert await world.datastore.load_held_svids() == []

    play(tmp_path, act)


def test_agents_are_told_although_nothing_can_be_remembered(tmp_path: Path) -> None:
    """A full disk delays no block; what was hit is remembered as soon as there is room."""

    async def act(built: House) -> None:
        agent, local, world = await built.join(), await built.local(), built.world
        [web] = await register(local, entry_for(agent.id, "/web", IMAGE))
        leaked = serial_of(await x509_svid(agent, web.id))
        await world.datastore.create_block(
            Block("b", SubjectKind.SELECTOR, IMAGE, "bad image", int(built.clock.now()))
        )
        await world.follower.caught_up()
        full = replace(world, datastore=_Full(world.datastore))  # type: ignore[arg-type]
        assert (await publish_blocks(full)).serials == {str(leaked): "b"}
        assert await world.datastore.load_held_svids() == []
        await publish_blocks(world)
        assert [each.serial for each in await world.datastore.load_held_svids()] == [str(leaked)]

    play(tmp_path, act)


class _Full:
    """A datastore without room for another row."""

    def __init__(self, datastore: Any) -> None:
        self._datastore = datastore

    def __getattr__(self, name: str) -> Any:
        return getattr(self._datastore, name)

    async def hold_svids(self, held: object) -> None:
        raise Refusal(Kind.UNAVAILABLE, "no space left")
