"""Many at once, too much at once, too slow: what one client does costs the others nothing."""

import asyncio
import contextlib
import resource
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import StandingClock, settle
from tests.doubles.echo import Echo, Said, echo_server
from tests.doubles.raw_http2 import framed, raw_client, request_headers

SAID = framed(Said(text="x").SerializeToString())


@pytest.fixture(params=list(EngineName), ids=str)
def engine(request: pytest.FixtureRequest) -> EngineName:
    return EngineName(request.param)


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_a_thousand_idle_connections(tmp_path: Path, engine: EngineName) -> None:
    """A call is answered among a thousand connections that do nothing, and all of them go."""

    async def scene() -> None:
        path, clock = tmp_path / "s", StandingClock()
        async with echo_server(path, Echo(), engine=engine, clock=clock) as server:
            async with contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(raw_client(path)) for _ in range(1000)]
                while server.connections < 999:
                    await settle()
                for client in clients[::100]:
                    assert (await client.answer(client.request(body=SAID))).status == "0"
                server.sweep(clock.monotonic())
            while server.connections:
                await settle()

    asyncio.run(scene())


@pytest.mark.usefixtures("_many_files")
def test_half_a_greeting_holds_nothing_for_long(tmp_path: Path, engine: EngineName) -> None:
    """Two hundred clients that stop amid the preface are gone after the time for greetings."""

    async def scene() -> None:
        path, clock = tmp_path / "s", StandingClock()
        async with echo_server(path, Echo(), engine=engine, clock=clock) as server:
            writers = []
            for _ in range(200):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(b"PRI * HTTP")
                writers.append(writer)
            while server.connections < 200:
                await settle()
            for _ in range(3):
                await clock.pass_time(5)
            assert server.connections == 0
            async with raw_client(path) as client:
                assert (await client.answer(client.request(body=SAID))).status == "0"
            for writer in writers:
                writer.close()

    asyncio.run(scene())


def test_four_hundred_mebibytes_are_refused_unread(tmp_path: Path, engine: EngineName) -> None:
    """A message of 400 MiB is refused by its prefix; what is sent of it is not kept."""

    async def scene() -> None:
        path = tmp_path / "s"
        async with echo_server(path, Echo(), engine=engine), raw_client(path) as client:
            await client.answer(client.request(body=SAID))
            tracemalloc.start()
            for name in ("Say", "Gather", "Converse"):
                headers = request_headers(f"/echo.Echo/{name}")
                stream = client.request(headers, framed(b"", length=400 * 2**20), end=False)
                client.send(stream, b"x" * 16_000)
                answer = await client.answer(stream)
                assert answer.status == "8"
                assert "419430400 bytes" in answer.message
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 2 * 2**20

    asyncio.run(scene())


def test_slow_senders_lose_their_calls(tmp_path: Path, engine: EngineName) -> None:
    """Fifty calls whose requests trickle in end in time, and hold nothing afterwards."""

    async def scene() -> None:
        path, clock = tmp_path / "s", StandingClock()
        limits = Limits(request_seconds=30, ping_after=1000)
        async with (
            echo_server(path, Echo(), engine=engine, clock=clock, limits=limits) as server,
            raw_client(path) as client,
        ):
            body = framed(b"x" * 100)
            streams = [client.request(request_headers(), body[:9], end=False) for _ in range(50)]
            while server.calls < 50:
                await settle()
            for second in range(0, 40, 5):
                for stream in streams if second < 30 else ():
                    client.send(stream, b"x")
                await clock.pass_time(5)
            assert server.calls == 0
            for stream in streams:
                assert (await client.answer(stream)).status == "4"

    asyncio.run(scene())


def test_resets_in_masses_end_the_connection_that_sends_them(tmp_path: Path) -> None:
    """Opening and resetting streams as fast as one can is answered by the end (CVE-2023-44487)."""

    async def scene() -> None:
        path = tmp_path / "s"
        async with (
            echo_server(path, Echo(), engine=EngineName.NGH2) as server,
            raw_client(path) as other,
            raw_client(path) as client,
        ):
            with contextlib.suppress(ConnectionError):
                for _ in range(3000):
                    stream = client.request(request_headers("/echo.Echo/SayLater"), SAID)
                    client.http2.reset_stream(stream, 8)
                    client.flush()
                    if client.writer.is_closing():
                        break
                    await asyncio.sleep(0)
                await client.until_closed()
            assert client.is_closed or client.goaway is not None
            assert (await other.answer(other.request(body=SAID))).status == "0"
            while server.calls:
                await settle()

    asyncio.run(scene())


def test_pings_in_masses_do_not_pile_up(tmp_path: Path, engine: EngineName) -> None:
    """A client that sends pings and reads no answers is not answered without end."""

    async def scene() -> None:
        path = tmp_path / "s"
        async with echo_server(path, Echo(), engine=engine) as server, raw_client(path) as client:
            await client.answer(client.request(body=SAID))
            [connection] = server._connections
            ping = b"\0\0\x08\6\0\0\0\0\0" + bytes(8)
            for _ in range(100):
                client.writer.write(ping * 1000)
                await settle(2)
            transport: Any = connection.transport
            assert transport is None or transport.get_write_buffer_size() < 500_000
            client.writer.transport.abort()

    asyncio.run(scene())
