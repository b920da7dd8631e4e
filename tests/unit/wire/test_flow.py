"""Back-pressure: whoever does not read makes the other side wait, and nobody buffer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import settle
from tests.doubles.echo import CONVERSE, REPEAT, Echo, Said, echo_server
from tests.doubles.raw_http2 import raw_client, request_headers, said

Run = Callable[[Any], None]
BODY = b"x" * 10_000


def test_a_client_that_gives_no_window_stops_its_handler(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A handler waits in `send` once the window is used up and the send buffer is full."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            client.reads_bodies = False
            headers = request_headers("/echo.Echo/Repeat")
            stream = client.request(headers, said(count=1000, body=BODY))
            answer = client.answers[stream]
            while len(answer.body) < 65_000:
                await client.receive()
            await settle()
            # The window of HTTP/2 is 65,535 bytes, and as much may wait in the server.
            assert len(echo.seen) <= 15

    run(scene())


def test_a_handler_goes_on_when_there_is_room(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Everything arrives at a client that reads, however much it is."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            headers = request_headers("/echo.Echo/Repeat")
            answer = await client.answer(client.request(headers, said(count=300, body=BODY)))
            assert answer.status == "0"
            assert len(answer.body) > 300 * len(BODY)

    run(scene())


def test_a_client_that_reads_nothing_is_not_read_either(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """When the transport is full nothing more is taken in, so that nothing piles up."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server, raw_client(path) as client:
            client.http2.increment_flow_control_window(2**30)
            while not server.connections:
                await settle()
            [connection] = server._connections
            for _ in range(60):
                stream = client.request(
                    request_headers("/echo.Echo/Repeat"), said(count=50, body=BODY[:1000])
                )
                client.http2.increment_flow_control_window(2**24, stream)
                client.flush()
                await settle(3)
            assert connection.writing_is_paused
            transport = connection.transport
            assert transport is not None
            assert not transport.is_reading()
            assert transport.get_write_buffer_size() < 1_000_000
            for stream in client.answers:
                assert (await client.answer(stream)).status == "0"

    run(scene())


def test_a_handler_that_does_not_read_stops_its_client(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """The window of messages that nobody takes is not given back; the other calls go on."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(request_headers("/echo.Echo/Converse"), end=False)
            client.send(stream, said(text="wait"))
            sent = 0
            while client.http2.local_flow_control_window(stream) > len(BODY) + 100:
                client.send(stream, said(body=BODY))
                sent += 1
                await settle(3)
            assert sent == 6
            assert (await client.answer(client.request(body=said()))).status == "0"
            assert client.http2.local_flow_control_window(stream) < len(BODY) + 100
            echo.go_on.set()
            while client.http2.local_flow_control_window(stream) < 30_000:
                await client.receive()
            client.send(stream, b"", end=True)
            assert (await client.answer(stream)).status == "0"
            assert len(echo.seen) == sent + 1

    run(scene())


def test_a_connection_does_not_lose_its_window(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Calls that are refused, reset or over give back what they had taken of the window."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            for method in ("Nobody", "Converse", "Say") * 40:
                stream = client.request(request_headers(f"/echo.Echo/{method}"), end=False)
                client.send(stream, said(text="wait", body=BODY) + said(body=BODY * 2))
                if method == "Converse":
                    client.http2.reset_stream(stream, 8)
                    client.flush()
                else:
                    await client.answer(stream)
            await client.answer(client.request(body=said()))
            # What is below half of the window is given back by the next message.
            assert client.http2.outbound_flow_control_window > 400_000

    run(scene())


def test_a_client_that_does_not_read_stops_its_server(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Our client buffers about a window of a stream that nobody receives from."""

    async def scene() -> None:
        channel = Channel(UnixAddress(path), engine=engine)
        async with echo_server(path, echo, engine=engine), channel.stream(REPEAT) as stream:
            await stream.send(Said(count=500, body=BODY))
            await stream.end()
            await settle(200)
            assert len(echo.seen) <= 20
            assert [said.count async for said in stream] == list(range(500))
        await channel.close()

    run(scene())


def test_a_client_waits_for_a_server_that_does_not_read(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """`send` of a stream waits while its handler takes nothing, and ends with the call."""

    async def scene() -> None:
        channel = Channel(UnixAddress(path), engine=engine, limits=Limits(send_buffer=20_000))
        sent = 0

        async def send_for_ever(stream: Any) -> None:
            nonlocal sent
            while True:
                await stream.send(Said(body=BODY))
                sent += 1

        async with echo_server(path, echo, engine=engine), channel.stream(CONVERSE) as stream:
            await stream.send(Said(text="wait"))
            sending = asyncio.ensure_future(send_for_ever(stream))
            await settle(200)
            assert 6 <= sent <= 10
            channel.disconnect()
            await asyncio.wait([sending])
            assert "connection was lost" in str(sending.exception())
        await channel.close()

    run(scene())


def test_the_answer_to_a_ping_waits_for_the_answer_to_a_call(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A ping that comes with a whole request is answered, be the call answered soon or not."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            client.http2.ping(b"with it!")
            stream = client.request(request_headers("/echo.Echo/SayLater"), said(text="a"))
            while not client.pongs:
                await client.receive()
            assert not client.answers[stream].status
            client.http2.ping(b"and then")
            echo.go_on.set()
            assert (await client.answer(stream)).status == "0"
            while len(client.pongs) < 2:
                await client.receive()
            assert client.pongs == [b"with it!", b"and then"]

    run(scene())
