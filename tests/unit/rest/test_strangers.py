"""What callers without a good token could take over HTTPS."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ca.api.rest.bounds import STRANGERS_BODY_BYTES
from ca.api.rest.connection import (
    MAX_CONNECTIONS_PER_ADDRESS,
    Connection,
    LocalPeer,
    RemotePeer,
)
from tests.unit.rest.desk import AWAY, WEB, Desk, at_desk, problem

JSON = {"Content-Type": "application/json"}


def body_of(size: int) -> bytes:
    return b'{"hint": "' + b"a" * (size - 12) + b'"}'


def test_long_bodies_were_kept_for_strangers(tmp_path: Path) -> None:
    """Only who shows a good token, or comes by the local socket, may send more than 16 KiB."""

    async def act(desk: Desk) -> None:
        good = await desk.token("entries:write", ttl=60)
        bad = {"Authorization": "Bearer finial-api-1.guess"}
        long, short = body_of(STRANGERS_BODY_BYTES + 1), body_of(STRANGERS_BODY_BYTES)

        async def ask(content: bytes, peer: Any = AWAY, **headers: str) -> Any:
            return await desk.ask(
                "POST", "/v1/entries", content=content, peer=peer, headers={**JSON, **headers}
            )

        for headers in ({}, bad):
            answer = await ask(long, **headers)
            assert str(STRANGERS_BODY_BYTES) in problem(answer, 413)["detail"]
            assert answer.headers["connection"] == "close"
            problem(await ask(short, **headers), 401)
        problem(await ask(long, **good), 400)
        problem(await ask(long, peer=LocalPeer(1, 0, 0)), 400)
        desk.house.clock.advance(61)
        problem(await ask(long, **good), 413)

    at_desk(tmp_path, act)


def test_a_token_outlived_itself_in_the_tokens_it_made(tmp_path: Path) -> None:
    """A token that makes tokens gives them at most what is left of its own life."""

    async def act(desk: Desk) -> None:
        own = await desk.token("tokens:write", "entries:read", ttl=600)
        desk.house.clock.advance(100)
        wish = {"name": "child", "scopes": ["entries:read"], "ttl": 90 * 24 * 3600}
        made = await desk.ask("POST", "/v1/api-tokens", wish, peer=AWAY, headers=own)
        child = {"Authorization": f"Bearer {made.json()['token']}"}
        assert (await desk.ask("GET", "/v1/entries", peer=AWAY, headers=child)).status_code == 200
        desk.house.clock.advance(501)
        problem(await desk.ask("GET", "/v1/entries", peer=AWAY, headers=child), 401)
        assert (await desk.ask("POST", "/v1/entries", WEB)).status_code == 201

    at_desk(tmp_path, act)


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7:1", "192.0.2.7"), ("[2001:db8::7]:1", "2001:db8::/64"), ("unknown:0", "unknown")],
)
def test_whom_a_connection_is_counted_for(address: str, network: str) -> None:
    """Addresses count without their port, of IPv6 their network."""
    assert RemotePeer(address).network == network


def test_one_address_took_every_connection() -> None:
    """An address has its share of the connections; local processes are not counted so."""

    others = [SimpleNamespace(network="192.0.2.7")] * MAX_CONNECTIONS_PER_ADDRESS
    for network, is_crowd in (("192.0.2.7", True), ("192.0.2.8", False), ("", False)):
        connection = Connection.__new__(Connection)
        connection.network = network
        connection.connections = others  # type: ignore[assignment]
        assert connection._is_crowd() is is_crowd
