"""API tokens in the datastore."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ca.registry.api_token import ApiToken, Scope
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.datastore import opened

TOKEN = ApiToken("id1", "ci", "aa" * 32, frozenset({Scope.MINT, Scope.ENTRIES_READ}), 5, 9)


def test_token_is_found_by_its_hash(tmp_path: Path) -> None:
    """A token is found by the hash of its text, whole, and by nothing else."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_api_token(TOKEN)
            assert await datastore.find_api_token("aa" * 32) == TOKEN
            assert await datastore.find_api_token("bb" * 32) is None

    asyncio.run(act())


def test_tokens_are_listed_in_their_order(tmp_path: Path) -> None:
    """Tokens are listed as they were made."""

    async def act() -> None:
        older = replace(TOKEN, id="id2", token_hash="bb" * 32, created_at=4)
        async with opened(tmp_path) as datastore:
            await datastore.create_api_token(TOKEN)
            await datastore.create_api_token(older)
            assert await datastore.list_api_tokens() == [older, TOKEN]

    asyncio.run(act())


@pytest.mark.parametrize("taken", [replace(TOKEN, id="x"), replace(TOKEN, token_hash="x")])
def test_taken_token_is_refused(tmp_path: Path, taken: ApiToken) -> None:
    """Neither an id nor a hash is given twice."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_api_token(TOKEN)
            with pytest.raises(Refusal) as refused:
                await datastore.create_api_token(taken)
            assert refused.value.kind is Kind.EXISTS

    asyncio.run(act())


def test_revoked_token_is_gone(tmp_path: Path) -> None:
    """A revoked token is found no more, and revoking it again is refused."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_api_token(TOKEN)
            assert await datastore.revoke_api_token("id1") == TOKEN
            assert await datastore.find_api_token(TOKEN.token_hash) is None
            with pytest.raises(Refusal) as refused:
                await datastore.revoke_api_token("id1")
            assert refused.value.kind is Kind.NOT_FOUND

    asyncio.run(act())
