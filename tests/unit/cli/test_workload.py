"""The Workload API as the command uses it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.workload import workload_api
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.programs import short_folder


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


async def fetched(socket: Path) -> None:
    async with workload_api(socket, 5.0) as api:
        async for _ in api.x509_svids():
            return


def refusal_of(socket: Path) -> Refusal:
    with pytest.raises(Refusal) as refused:
        asyncio.run(fetched(socket))
    return refused.value


def test_one_who_is_not_seen_is_told_where_the_reason_stands(place: Path) -> None:
    """Whoever closes a connection without a word can say why on the node alone."""
    socket = place / "s"

    async def ask() -> Refusal:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_unix_server(close, socket):
            with pytest.raises(Refusal) as refused:
                await fetched(socket)
        return refused.value

    refusal = asyncio.run(ask())
    assert refusal.kind is Kind.UNAVAILABLE
    assert "finial explain --last-refusals" in refusal.remedy


def test_where_nobody_listens_nobody_closed_anything(place: Path) -> None:
    """A socket that is not there is no agent that looks away: is it running, and is that it?"""
    (place / "file").touch()
    for name in ("nobody", "file"):
        refusal = refusal_of(place / name)
        assert refusal.kind is Kind.UNAVAILABLE
        assert refusal.remedy.startswith("is the agent running, and is this its socket?")
