"""Join tokens in the datastore."""

import asyncio
from pathlib import Path

import pytest

from ca.datastore.datastore import Datastore
from ca.registry.join_token import JoinToken
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.datastore import opened, workload

USED = "join token does not exist or has already been used"


def token(name: str = "t1", expires_at: int = int(NOW) + 600) -> JoinToken:
    return JoinToken(name, b"proof", expires_at, workload("fleet"))


async def spend(datastore: Datastore, key: str, now: float = NOW) -> JoinToken | str:
    try:
        return await datastore.spend_join_token("t1", key, now)
    except Refusal as refusal:
        return refusal.detail if refusal.kind is Kind.INVALID else str(refusal.kind)


def test_token_comes_back_whole(tmp_path: Path) -> None:
    """A token is read as it was written, with and without an alias."""

    async def act() -> None:
        plain = JoinToken("t0", b"\x00\xff", int(NOW))
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            await datastore.create_join_token(plain)
            assert await datastore.join_token("t1") == token()
            assert await datastore.join_token("none") is None
            assert await datastore.list_join_tokens() == [plain, token()]

    asyncio.run(act())


def test_same_token_twice_is_refused(tmp_path: Path) -> None:
    """A token that was made before cannot be made again."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            with pytest.raises(Refusal) as refused:
                await datastore.create_join_token(token())
            assert refused.value.kind is Kind.EXISTS

    asyncio.run(act())


def test_token_is_spent_once(tmp_path: Path) -> None:
    """A token that one key spent is of no use to another, but the same key may come again."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            spent = await spend(datastore, "key-a")
            assert isinstance(spent, JoinToken)
            assert (spent.spent_by, spent.alias) == ("key-a", workload("fleet"))
            assert await spend(datastore, "key-b") == USED
            assert await spend(datastore, "key-a") == spent

    asyncio.run(act())


def test_racing_agents_spend_a_token_once(tmp_path: Path) -> None:
    """Of agents that come with one token at the same time exactly one gets in."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            results = await asyncio.gather(*(spend(datastore, f"key-{n}") for n in range(20)))
            assert len([each for each in results if isinstance(each, JoinToken)]) == 1
            assert results.count(USED) == 19

    asyncio.run(act())


def test_racing_servers_spend_a_token_once(tmp_path: Path) -> None:
    """Of servers that share a database and are shown one token exactly one accepts it."""

    async def act() -> None:
        async with opened(tmp_path) as first, opened(tmp_path) as second:
            await first.create_join_token(token())
            results = await asyncio.gather(
                *(spend(each, f"key-{n}-{id(each)}") for n in range(5) for each in (first, second))
            )
            assert len([each for each in results if isinstance(each, JoinToken)]) == 1

    asyncio.run(act())


def test_expired_token_is_consumed(tmp_path: Path) -> None:
    """A token that is found expired is refused as expired, and is gone afterwards."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token(expires_at=int(NOW)))
            assert await spend(datastore, "key-a") == "join token expired"
            assert await spend(datastore, "key-a") == USED
            assert await datastore.list_join_tokens() == []

    asyncio.run(act())


def test_spent_token_says_nothing_to_another_key(tmp_path: Path) -> None:
    """Whoever did not spend a token cannot learn that it existed, expired or not."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            await spend(datastore, "key-a")
            assert await spend(datastore, "key-b", now=NOW + 601) == USED
            assert await spend(datastore, "key-a", now=NOW + 601) == "join token expired"

    asyncio.run(act())


def test_token_is_withdrawn(tmp_path: Path) -> None:
    """A token that was deleted cannot be spent."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token())
            assert await datastore.delete_join_token("t1") is True
            assert await datastore.delete_join_token("t1") is False
            assert await spend(datastore, "key-a") == USED

    asyncio.run(act())


def test_expired_tokens_are_pruned(tmp_path: Path) -> None:
    """Expired tokens are forgotten, which SPIRE never does (TQ-06)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(token("old", int(NOW) - 1))
            await datastore.create_join_token(token("new", int(NOW)))
            assert await datastore.prune_join_tokens(NOW) == 1
            assert [each.id for each in await datastore.list_join_tokens()] == ["new"]

    asyncio.run(act())
