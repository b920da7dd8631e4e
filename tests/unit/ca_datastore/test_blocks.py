"""Blocks in the datastore, and the live SVIDs that they hit."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from ca.datastore.blocks import Wanted
from ca.registry.issued import SvidKind
from finial.blocks import Block, SubjectKind
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.datastore import AGENT, opened, svid

BLOCK = Block("b1", SubjectKind.ENTRY, "web", "key leaked", since=5, until=9, who="local uid 0")


def test_blocks_are_kept_lifted_and_swept(tmp_path: Path) -> None:
    """What is stored is read; a subject is blocked once, until that block has ended."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_block(BLOCK)
            assert await datastore.load_blocks() == [BLOCK]
            again = msgspec.structs.replace(BLOCK, id="b2", since=6)
            with pytest.raises(Refusal) as refused:
                await datastore.create_block(again)
            assert (refused.value.kind, refused.value.value) == (Kind.EXISTS, "b1")
            later = msgspec.structs.replace(BLOCK, id="b3", since=9, until=20)
            await datastore.create_block(later)
            assert await datastore.load_blocks() == [later]
            assert await datastore.prune_blocks(19) == []
            assert await datastore.prune_blocks(20) == [later]
            await datastore.create_block(BLOCK)
            assert await datastore.delete_block("b1") == BLOCK
            with pytest.raises(Refusal) as refused:
                await datastore.delete_block("b1")
            assert refused.value.kind is Kind.NOT_FOUND

    asyncio.run(act())


def test_live_svids_are_found_by_any_name(tmp_path: Path) -> None:
    """By identity, entry, agent, serial number and JWT id, each once; expired ones never."""

    async def act() -> None:
        now = int(NOW)
        rows = [
            svid("1", expires_at=now + 1),
            svid("2", spiffe_id="spiffe://example.org/api", entry_id="api", agent_id=""),
            svid("j", kind=SvidKind.JWT, spiffe_id="spiffe://example.org/x", entry_id="x"),
            svid("old", expires_at=now),
        ]
        async with opened(tmp_path) as datastore:
            await datastore.record_issued(rows)

            async def found(**names: str) -> list[str]:
                wanted = Wanted(**{name: frozenset({value}) for name, value in names.items()})
                live, more = await datastore.live_svids(wanted, NOW)
                assert not more
                return [each.serial for each in live]

            assert await found() == []
            assert await found(spiffe_ids="spiffe://example.org/web", entry_ids="web") == ["1"]
            assert await found(agent_ids=str(AGENT)) == ["j", "1"]
            assert await found(entry_ids="api", serials="1") == ["2", "1"]
            assert await found(jtis="j") == ["j"]
            assert await found(jtis="1", serials="j") == []
            everything = Wanted(agent_ids=frozenset({str(AGENT)}))
            live, more = await datastore.live_svids(everything, NOW, limit=1)
            assert ([each.serial for each in live], more) == (["j"], True)

    asyncio.run(act())
