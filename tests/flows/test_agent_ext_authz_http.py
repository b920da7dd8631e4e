"""Questions about access in their HTTP form, on a socket of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from finial.policy.decision import Mode
from finial.wire.pb import workload_pb2
from tests.doubles.access import CHARGE, ORDERS, OWN, PAYMENT, policies
from tests.doubles.running_agent import RunningAgent, Scene, soon
from tests.flows.agent_scenes import ME, play
from tests.flows.deciding_scenes import deciding

XFCC = "x-forwarded-client-cert"
SAW_ORDERS = {XFCC: f'Hash=ab;Subject="CN=a,O=b;";URI={ORDERS}'}


@asynccontextmanager
async def asking(
    played: Scene, document: bytes | None = None, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, RunningAgent]]:
    """An agent with the HTTP form, which believes the header of payment's Envoy."""
    table = {"http_socket_path": str(socket_of(played)), "trusted_envoys": [PAYMENT], **settings}
    async with deciding(played, document, ext_authz=table) as agent:
        transport = httpx.AsyncHTTPTransport(uds=str(socket_of(played)))
        async with httpx.AsyncClient(transport=transport, base_url="http://payment") as client:
            yield client, agent


def socket_of(played: Scene) -> Path:
    return played.folder / "authz.sock"


async def charge(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: httpx.Response = await soon(client.post("/transaction/1?q=1", headers=named))
    return response


def test_an_allow_is_200_with_the_callers_identity() -> None:
    """Who calls is known from what the named Envoy says of the certificate that it saw."""

    async def act(played: Scene) -> None:
        async with asking(played) as (client, _):
            for _ in range(2):
                response = await charge(client, **SAW_ORDERS)
                assert (response.status_code, response.content) == (200, b"")
                assert response.headers["x-spiffe-caller"] == ORDERS
                removed = response.headers["x-envoy-auth-headers-to-remove"]
                assert removed == "x-spiffe_caller, x_spiffe-caller, x_spiffe_caller"

    play(act)


def test_a_denial_is_403_with_a_reason() -> None:
    """By the rules, and where nobody proved who calls."""

    async def act(played: Scene) -> None:
        async with asking(played) as (client, _):
            for headers, reason in (
                ({}, "no_identity"),
                ({XFCC: f"URI={OWN}/gateway"}, "no_rule"),
                ({XFCC: "URI=;Hash=a"}, "no_identity"),
                ({XFCC: "nonsense"}, "forwarded_malformed"),
                ({**SAW_ORDERS, "x-finial-callee": ORDERS}, "callee_not_yours"),
            ):
                response = await charge(client, **headers)
                assert response.status_code == 403
                assert response.headers["x-finial-reason"] == reason
                assert set(json.loads(response.content)) == {"reason", "refusal"}

    play(act)


def test_the_header_of_an_envoy_that_nobody_named_is_not_believed() -> None:
    """Without the operator's word it may come from the client."""

    async def act(played: Scene) -> None:
        async with asking(played, trusted_envoys=[]) as (client, _):
            response = await charge(client, **SAW_ORDERS)
        assert response.headers["x-finial-reason"] == "no_identity"

    play(act)


def test_open_mode_takes_the_header_away() -> None:
    """What a caller says of itself does not reach the callee, also where no rule is asked."""

    async def act(played: Scene) -> None:
        async with asking(played, policies(1, {PAYMENT: Mode.OPEN})) as (client, _):
            response = await charge(client, x_spiffe_caller=ORDERS)
        removed = response.headers["x-envoy-auth-headers-to-remove"]
        assert removed == "x-spiffe-caller, x-spiffe_caller, x_spiffe-caller, x_spiffe_caller"
        assert "x-spiffe-caller" not in response.headers

    play(act)


def test_a_token_proves_who_calls_here_too() -> None:
    """A JWT-SVID in Authorization, with the callee as its audience."""

    async def act(played: Scene) -> None:
        played.server.entry("o", "/orders", ME)
        async with asking(played, trusted_envoys=[]) as (client, agent):
            wanted = workload_pb2.JWTSVIDRequest(audience=[PAYMENT], spiffe_id=ORDERS)
            token = (await agent.call("FetchJWTSVID", wanted)).svids[0].svid
            named = {"x-finial-callee": PAYMENT, "authorization": f"Bearer {token}"}
            assert (await charge(client, **named)).status_code == 200

    play(act)


def test_what_cannot_be_decided_is_never_200() -> None:
    """Without rules the answer is 503."""

    async def act(played: Scene) -> None:
        async with asking(played, policies(1, None, CHARGE)) as (client, agent):
            agent.parts.access.held.set(None)
            assert (await charge(client)).status_code == 503

    play(act)


async def said(played: Scene, *pieces: bytes) -> bytes:
    """What raw bytes are answered with, up to the end of the connection."""
    reader, writer = await asyncio.open_unix_connection(str(socket_of(played)))
    try:
        for each in pieces:
            writer.write(each)
            await writer.drain()
        return bytes(await soon(reader.read()))
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_bad_requests_are_refused_and_the_connection_ended() -> None:
    """What is no HTTP, too large, or comes before the former answer."""

    async def act(played: Scene) -> None:
        async with asking(played) as (client, _):
            assert b" 400 " in await said(played, b"\x16\x03\x01 nonsense\r\n\r\n")
            huge = b"GET / HTTP/1.1\r\nx-big: " + 1024 * 1024 * b"a" + b"\r\n\r\n"
            assert (await said(played, huge))[9:12] in (b"431", b"")
            many = b"".join(b"x-%d: a\r\n" % number for number in range(300))
            assert b" 431 " in await said(played, b"GET / HTTP/1.1\r\n" + many + b"\r\n")
            answered = await said(played, b"GET / HTTP/1.0\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            assert (await charge(client, **SAW_ORDERS)).status_code == 200

    play(act)


def test_who_wants_another_protocol_is_answered_once() -> None:
    """CONNECT and an upgrade are decided like all else; nothing is read after them."""

    async def act(played: Scene) -> None:
        async with asking(played) as (_, agent):
            seen = f"{XFCC}: URI={ORDERS}\r\n".encode()
            upgrade = b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
            charged = await said(played, b"POST /transaction/1 HTTP/1.1\r\n" + seen + upgrade)
            assert charged.startswith(b"HTTP/1.1 200 OK\r\n")
            refused = await said(played, b"GET /admin HTTP/1.1\r\n" + seen + upgrade)
            assert refused.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            tunnel = b"CONNECT payment:443 HTTP/1.1\r\n" + seen + b"\r\n"
            answers = await said(played, tunnel, b"GET / HTTP/1.1\r\n\r\n")
            assert answers.count(b"HTTP/1.1 ") == 1
            assert b"x-finial-reason: path_not_absolute" in answers
            assert len(list(agent.parts.access.traffic.rows())) == 3

    play(act)


def test_trailers_are_no_headers() -> None:
    """They come from the client, with the body that an Envoy sends along."""

    async def act(played: Scene) -> None:
        async with asking(played):
            head = b"POST /transaction/1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n"
            body = b"connection: close\r\n\r\n0\r\n" + f"{XFCC}: URI={ORDERS}".encode()
            answered = await said(played, head + body + b"\r\n\r\n")
            assert b"x-finial-reason: no_identity" in answered

    play(act)


def test_a_body_is_read_and_not_looked_at() -> None:
    """An Envoy may be told to send the body along."""

    async def act(played: Scene) -> None:
        async with asking(played) as (client, _):
            response = await soon(
                client.post("/transaction/1", content=200_000 * b"a", headers=SAW_ORDERS)
            )
            assert response.status_code == 200

    play(act)


def test_the_socket_is_gone_after_the_agent() -> None:
    """And there is none without the setting."""

    async def act(played: Scene) -> None:
        async with asking(played):
            assert socket_of(played).is_socket()
        assert not socket_of(played).exists()
        async with deciding(played) as agent:
            assert agent.parts.listeners.http is None

    play(act)


def test_a_bug_is_logged_and_never_an_allow(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it happens in place or after waiting, the answer is 500."""

    async def act(played: Scene) -> None:
        async with asking(played) as (client, agent):
            agent.parts.access.held.set(7)  # type: ignore[arg-type]
            for _ in range(2):
                assert (await charge(client, **SAW_ORDERS)).status_code == 500
        assert len([each for each in caplog.records if "ext_authz failed" in each.message]) == 2

    play(act)
