"""Following the datastore."""

import asyncio
from pathlib import Path

from ca.registry.change import Change, Topic
from tests.doubles.clock import NOW, StandingClock
from tests.doubles.datastore import entry, node, opened, svid


def test_follower_is_woken_before_the_caller(tmp_path: Path) -> None:
    """A follower hears of a change with its number before the act's caller does."""

    async def act() -> None:
        heard: list[object] = []
        async with opened(tmp_path) as datastore:
            stop = datastore.on_commit(heard.append)
            await datastore.create_entries([entry("web")])
            heard.append("caller")
            await datastore.record_issued([svid("1")])
            stop()
            stop()
            await datastore.create_entries([entry("db")])
        assert heard == [1, "caller"]

    asyncio.run(act())


def test_changes_are_read_in_steps(tmp_path: Path) -> None:
    """A follower reads what came after its number, in order and in steps."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            assert await datastore.latest_sequence() == 0
            assert await datastore.oldest_sequence() == 1
            await datastore.create_entries([entry("web")])
            await datastore.save_node(node())
            assert await datastore.changes_after(0, limit=1) == [Change(1, Topic.ENTRIES, ("web",))]
            assert await datastore.changes_after(1) == [Change(2, Topic.NODES, (str(node().id),))]
            assert await datastore.changes_after(2) == []

    asyncio.run(act())


def test_another_servers_changes_are_seen(tmp_path: Path) -> None:
    """Two servers that write by turns number their changes in one order."""

    async def act() -> None:
        async with opened(tmp_path) as first, opened(tmp_path) as second:
            for n in range(3):
                await first.create_entries([entry(f"a{n}")])
                await second.create_entries([entry(f"b{n}")])
            ids = [change.ids[0] for change in await first.changes_after(0)]
            assert ids == ["a0", "b0", "a1", "b1", "a2", "b2"]
            assert (first.committed_sequence, second.committed_sequence) == (5, 6)

    asyncio.run(act())


def test_old_changes_are_pruned(tmp_path: Path) -> None:
    """Changes go by age; who needs one of them sees by the oldest number that it fell behind."""

    async def act() -> None:
        clock = StandingClock()
        async with opened(tmp_path, clock) as datastore:
            await datastore.create_entries([entry("old")])
            clock.advance(100)
            await datastore.create_entries([entry("new")])
            assert await datastore.prune_changes(clock.now(), keep_seconds=99) == 1
            assert await datastore.oldest_sequence() == 2

    asyncio.run(act())


def test_too_many_changes_are_pruned(tmp_path: Path) -> None:
    """Changes go by count, and numbers are never given twice, even when none is left."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            for name in "abc":
                await datastore.create_entries([entry(name)])
            assert await datastore.prune_changes(NOW, keep_count=2) == 1
            assert await datastore.oldest_sequence() == 2
            assert await datastore.prune_changes(NOW, keep_count=0) == 2
            assert await datastore.oldest_sequence() == 4
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("d")])
            assert datastore.committed_sequence == 4

    asyncio.run(act())
