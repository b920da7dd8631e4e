"""What all connections of one peer may take together."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvloop

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


def tls_server(echo: Echo, engine: EngineName, **limits: Any) -> tuple[Server[Any], SmallCa]:
    ca = SmallCa("example.org", now=SystemClock().now())
    server: Server[Any] = Server(
        [echo.service()],
        identify=lambda transport: "",
        limits=Limits(**limits),
        engine=engine,
    )
    return server, ca


async def listening(server: Server[Any], ca: SmallCa) -> tuple[str, int, ssl.SSLContext]:
    """Listen over TLS; return the address, and a context for clients."""
    bundle = Bundle(TrustDomain.parse("example.org"), (X509Authority(ca.der),))
    leaf = ca.workload("/spire/server")
    identity = TlsIdentity(leaf.chain, leaf.key_pkcs8)
    tls = server_context(lambda: identity, lambda: (bundle,))
    host, port = await server.listen_tcp("127.0.0.1", 0, tls)
    return host, port, client_context(None, bundle)


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
        server, ca = tls_server(echo, engine, max_handshakes=8, max_handshakes_per_address=2)
        host, port, context = await listening(server, ca)
        silent = [await asyncio.open_connection(host, port) for _ in range(20)]
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


def flood(host: str, port: int, context: ssl.SSLContext) -> float:
    """Send what is no HTTP/2, and read nothing, until that fails; return after how long."""
    clock = SystemClock()
    with socket.create_connection((host, port)) as plain:
        talking = context.wrap_socket(plain)
        began = clock.monotonic()
        with contextlib.suppress(OSError), talking:
            while clock.monotonic() - began < 10:
                talking.sendall(b"this is no HTTP/2 at all" * 1000)
        return clock.monotonic() - began


def test_a_flood_was_read_for_half_a_minute_after_the_end(engine: EngineName) -> None:
    """A peer over TLS that is told the end, does not listen and goes on talking is cut off."""

    async def scene() -> None:
        server, ca = tls_server(Echo(), engine, goodbye_seconds=0.1)
        where = await listening(server, ca)
        assert await asyncio.to_thread(flood, *where) < 9
        await server.close(grace=0)

    # asyncio's own loop stops reading at the end; this one, which the programs use, reads on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())
