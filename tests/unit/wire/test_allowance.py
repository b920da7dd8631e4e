"""What all connections of one peer may take together."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.wire.grpc.limits import Allowance, Limits
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from finial.wire.network import network_of
from finial.wire.tls import TlsIdentity, client_context, server_context
from tests.doubles.ca import SmallCa
from tests.doubles.clock import settle
from tests.doubles.echo import Echo, Said, echo_server
from tests.doubles.raw_http2 import RawClient, framed, raw_client, request_headers

HALF = 20_000
"""Bytes that fit into a stream's window and, twice, into no allowance of these tests."""


def begin(client: RawClient, method: str = "Say") -> int:
    """Begin a message of twice the half and send one half of it."""
    headers = request_headers(f"/echo.Echo/{method}")
    stream = client.request(headers, framed(b"", length=2 * HALF), end=False)
    client.send(stream, b"x" * HALF)
    return stream


def held(server: Server[Any]) -> list[int]:
    return [share.held for share in server._shares.values()]


@pytest.mark.parametrize("method", ["Say", "Gather", "Converse"])
def test_messages_in_many_connections_did_not_count_together(
    run: Any, path: Path, echo: Echo, engine: EngineName, method: str
) -> None:
    """Begun messages of all connections of a peer count; the call that is too much is refused."""

    async def scene() -> None:
        limits = Limits(max_held_per_key=2 * HALF)
        async with (
            echo_server(path, echo, engine=engine, limits=limits) as server,
            raw_client(path) as one,
            raw_client(path) as other,
        ):
            begun = begin(one, method)
            while held(server) != [HALF + 5]:
                await settle()
            answer = await other.answer(begin(other, method))
            assert (answer.status, "unread requests" in answer.message) == ("8", True)
            one.http2.reset_stream(begun, 8)
            one.flush()
            while held(server) != [0]:
                await settle()
            assert (await other.answer(other.request(body=framed(b"")))).status == "0"

    run(scene())


def test_what_a_handler_has_read_is_held_no_longer(
    run: Any, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A stream may carry any amount, as long as its messages are read; unread ones are held."""

    async def scene() -> None:
        limits = Limits(max_held_per_key=2 * HALF)
        async with (
            echo_server(path, echo, engine=engine, limits=limits) as server,
            raw_client(path) as client,
        ):
            stream = client.request(request_headers("/echo.Echo/Converse"), end=False)
            message = framed(Said(text="go", body=b"x" * HALF).SerializeToString())
            for number in range(1, 9):
                client.send(stream, message)
                while echo.seen.count("go") < number:
                    await client.receive()
            assert held(server) == [0]
            client.send(stream, framed(Said(text="wait").SerializeToString()))
            while "wait" not in echo.seen:
                await settle()
            client.send(stream, message)
            while held(server) != [len(message)]:
                await settle()
            client.writer.close()
            while server.connections:
                await settle()
            assert held(server) == []

    run(scene())


def test_the_allowance_of_each_peer_is_its_own(
    run: Any, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Peers may be allowed less than the limits say: shorter messages, fewer connections."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine, allowance=lambda _: Allowance(1, 10, 100)),
            raw_client(path) as client,
            raw_client(path) as second,
        ):
            answer = await client.answer(client.request(body=framed(b"x" * 11)))
            assert (answer.status, "limit of 10" in answer.message) == ("8", True)
            await second.until_closed()
            assert second.goaway == 0xB

    run(scene())


def test_silent_connections_of_one_address_kept_all_others_out(
    run: Any, echo: Echo, engine: EngineName
) -> None:
    """Whoever fills its share of the places for handshakes leaves the others to other addresses."""

    async def scene() -> None:
        ca = SmallCa("example.org", now=SystemClock().now())
        bundle = Bundle(TrustDomain.parse("example.org"), (X509Authority(ca.der),))
        server: Server[Any] = Server(
            [echo.service()],
            identify=lambda transport: "",
            limits=Limits(max_handshakes=8, max_handshakes_per_address=2),
            engine=engine,
        )
        leaf = ca.workload("/spire/server")
        identity = TlsIdentity(leaf.chain, leaf.key_pkcs8)
        tls = server_context(lambda: identity, lambda: (bundle,))
        host, port = await server.listen_tcp("127.0.0.1", 0, tls)
        silent = [await asyncio.open_connection(host, port) for _ in range(20)]
        context = client_context(None, bundle)
        _, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname="", local_addr=("127.0.0.2", 0)
        )
        for _, other in (*silent, (None, writer)):
            other.close()
        await server.close(grace=0)

    run(scene())


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, counted: str) -> None:
    """Each of the 2**64 addresses of one network would otherwise have a limit of its own."""
    assert network_of(address) == counted
