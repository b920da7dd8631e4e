"""A disk that is full or cannot be written, and a database that somebody else holds."""

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ca.datastore.datastore import Datastore
from ca.datastore.ledger import IssuedFilter
from finial.spiffe.refusal import Kind, Refusal
from tests.conftest import Requirements
from tests.doubles.clock import StandingClock
from tests.doubles.datastore import TRUST_DOMAIN, entry, opened, svid, url


@contextmanager
def mounted(require: Requirements, folder: Path, *options: str) -> Iterator[Path]:
    """Mount something on a folder, or say that this machine does not allow it."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        require.missing(f"mounting is not allowed here ({done.stderr.strip()})", "sudo make test")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def fill(datastore: Datastore) -> tuple[list[str], Refusal]:
    """Write entries and SVIDs until the datastore refuses; return what was acknowledged."""
    stored: list[str] = []
    for number in range(10_000):
        names = [f"e{number}-{n}" for n in range(20)]
        results = await asyncio.gather(
            datastore.create_entries([entry(name) for name in names]),
            datastore.record_issued([svid(name) for name in names]),
            return_exceptions=True,
        )
        refusals = [each for each in results if isinstance(each, Refusal)]
        if refusals:
            # Both were in one commit, or the entries, which came first, in one before it.
            stored += [] if isinstance(results[0], Refusal) else names
            return stored, refusals[0]
        assert not [each for each in results if isinstance(each, BaseException)]
        stored += names
    raise AssertionError("the disk was never full")


async def names_of(datastore: Datastore) -> set[str]:
    return {each.id for each in await datastore.load_entries()}


@pytest.mark.root
def test_full_disk_refuses_and_recovers(tmp_path: Path, require: Requirements) -> None:
    """On a full disk writes are refused and nothing is half done; with space they go on."""

    async def act(folder: Path) -> None:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(1_000_000))
        async with opened(folder) as datastore:
            stored, refusal = await fill(datastore)
            assert refusal.kind is Kind.UNAVAILABLE
            assert refusal.detail == "the disk that holds the database is full"
            assert await names_of(datastore) == set(stored)
            again, _ = await fill_again(datastore)
            assert await names_of(datastore) == set(stored) | set(again)
            ballast.unlink()
            await datastore.create_entries([entry("after")])
            await datastore.record_issued([svid("after")])
        async with opened(folder) as datastore:
            assert await names_of(datastore) == set(stored) | set(again) | {"after"}
            found = await datastore.list_issued(IssuedFilter(serial="after"))
            assert len(found.items) == 1

    with mounted(require, tmp_path / "small", "-t", "tmpfs", "-o", "size=3m", "none") as folder:
        asyncio.run(act(folder))
        with closing(sqlite3.connect(folder / "ca.sqlite")) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def fill_again(datastore: Datastore) -> tuple[list[str], Refusal]:
    """Write single entries until the datastore refuses once more."""
    stored: list[str] = []
    for number in range(10_000):
        try:
            await datastore.create_entries([entry(f"single-{number}")])
        except Refusal as refusal:
            return stored, refusal
        stored.append(f"single-{number}")
    raise AssertionError("the disk was never full")


@pytest.mark.root
def test_full_disk_at_the_start_is_refused(tmp_path: Path, require: Requirements) -> None:
    """Where there is no room for a database the start is refused in words."""
    with mounted(require, tmp_path / "tiny", "-t", "tmpfs", "-o", "size=64k", "none") as folder:
        with pytest.raises(Refusal) as refused:
            asyncio.run(Datastore.open(url(folder), StandingClock(), TRUST_DOMAIN))
        assert refused.value.kind is Kind.UNAVAILABLE


@pytest.mark.root
def test_read_only_disk_is_refused(tmp_path: Path, require: Requirements) -> None:
    """A database on a file system that cannot be written refuses the start in words."""
    (tmp_path / "real").mkdir()

    async def make() -> None:
        async with opened(tmp_path / "real"):
            pass

    asyncio.run(make())
    options = ("--bind", "-o", "ro", str(tmp_path / "real"))
    with mounted(require, tmp_path / "frozen", *options) as folder:
        with pytest.raises(Refusal) as refused:
            asyncio.run(Datastore.open(url(folder), StandingClock(), TRUST_DOMAIN))
        assert refused.value.kind is Kind.UNAVAILABLE
        assert "Read-only" in refused.value.detail


def test_database_held_by_another_process(tmp_path: Path) -> None:
    """While somebody else holds the database writes are refused, readings go on, and it passes."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("before")])
            other = sqlite3.connect(tmp_path / "ca.sqlite", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Refusal) as refused:
                await datastore.create_entries([entry("during")])
            assert refused.value.kind is Kind.UNAVAILABLE
            assert refused.value.detail == "the database is locked by another process"
            assert await names_of(datastore) == {"before"}
            other.execute("ROLLBACK")
            other.close()
            await datastore.create_entries([entry("after")])
            assert await names_of(datastore) == {"before", "after"}

    asyncio.run(act())
