"""Our client against servers that misbehave, fall silent or speak something else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import StandingClock, settle
from tests.doubles.echo import SAY, Said, channel_to

Run = Callable[[Any], None]


class FakeServer:
    """A server that greets and then answers each request with what a test has prepared."""

    def __init__(self, *answers: Callable[[h2.connection.H2Connection, int], None]) -> None:
        self.answers = list(answers)
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http2.initiate_connection()
        writer.write(http2.data_to_send())
        while received := await reader.read(65_536):
            for event in http2.receive_data(received):
                if isinstance(event, h2.events.StreamEnded):
                    self.requests += 1
                    self.answers.pop(0)(http2, event.stream_id)
            writer.write(http2.data_to_send())
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        async with await asyncio.start_unix_server(self.serve, str(path)):
            yield


def answering(headers: dict[str, str], body: bytes = b"", trailers: Any = None) -> Any:
    def answer(http2: h2.connection.H2Connection, stream_id: int) -> None:
        only = not body and trailers is None
        http2.send_headers(stream_id, list(headers.items()), end_stream=only)
        if body:
            http2.send_data(stream_id, body, end_stream=trailers is None)
        if trailers is not None:
            http2.send_headers(stream_id, list(trailers.items()), end_stream=True)

    return answer


GRPC = {":status": "200", "content-type": "application/grpc"}
STRANGE = {
    "HTTP 503": (answering({":status": "503"}), Kind.UNAVAILABLE, "HTTP status 503"),
    "HTTP 404": (answering({":status": "404"}), Kind.UNIMPLEMENTED, "404"),
    "HTTP 418": (answering({":status": "418"}, b"tea"), Kind.INTERNAL, "418"),
    "a web page": (
        answering({":status": "200", "content-type": "text/html"}, b"<html>"),
        Kind.INTERNAL,
        "text/html",
    ),
    "no status": (answering(GRPC, b"\0\0\0\0\0"), Kind.INTERNAL, "not gRPC"),
    "OK amid a message": (
        answering(GRPC, b"\0\0\0\0\5a", {"grpc-status": "0"}),
        Kind.INTERNAL,
        "amid a message",
    ),
    "OK without message": (
        answering(GRPC, trailers={"grpc-status": "0"}),
        Kind.UNIMPLEMENTED,
        "one message",
    ),
    "what is no message": (
        answering(GRPC, b"\0\0\0\0\2\xff\xff", {"grpc-status": "0"}),
        Kind.INTERNAL,
        "is no echo.Said",
    ),
    "a compressed answer": (
        answering(GRPC | {"grpc-encoding": "gzip"}, b"\1\0\0\0\0", {"grpc-status": "0"}),
        Kind.INTERNAL,
        "compresses",
    ),
    "a message that is too large": (
        answering(GRPC, b"\0\x7f\0\0\0", {"grpc-status": "0"}),
        Kind.EXHAUSTED,
        "larger than the limit",
    ),
    "an unknown code": (answering(GRPC | {"grpc-status": "77"}), Kind.INTERNAL, "internal"),
    "a reset": (lambda http2, stream: http2.reset_stream(stream, 2), Kind.INTERNAL, "code 2"),
    "calm": (lambda http2, stream: http2.reset_stream(stream, 11), Kind.EXHAUSTED, "calm"),
    "cancelled": (lambda http2, stream: http2.reset_stream(stream, 8), Kind.CANCELLED, "cancel"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_answer_is_a_refusal(run: Run, path: Path, engine: EngineName, name: str) -> None:
    """Whatever a server answers, the caller gets a refusal that says what it was."""
    answer, kind, text = STRANGE[name]

    async def scene() -> None:
        good = answering(GRPC, b"\0\0\0\0\0", {"grpc-status": "0"})
        async with (
            FakeServer(answer, good).listening(path),
            channel_to(path, engine) as channel,
        ):
            with pytest.raises(Refusal, match=text) as caught:
                await channel.unary(SAY, Said(), timeout=5)
            assert caught.value.kind is kind
            assert await channel.unary(SAY, Said(), timeout=5) == Said()

    run(scene())


def test_a_refused_stream_is_tried_again(run: Run, path: Path, engine: EngineName) -> None:
    """A call that the server says it has not seen is begun again, but not for ever."""

    async def scene() -> None:
        def refuse(http2: Any, stream: int) -> None:
            http2.reset_stream(stream, 7)

        good = answering(GRPC, b"\0\0\0\0\0", {"grpc-status": "0"})
        server = FakeServer(refuse, good, refuse, refuse, refuse)
        async with server.listening(path), channel_to(path, engine) as channel:
            assert await channel.unary(SAY, Said(), timeout=5) == Said()
            with pytest.raises(Refusal, match="refused the stream") as caught:
                await channel.unary(SAY, Said(), timeout=5)
            assert (caught.value.kind, server.requests) == (Kind.UNAVAILABLE, 5)

    run(scene())


def test_a_server_that_does_not_greet_is_unreachable(
    run: Run, path: Path, engine: EngineName
) -> None:
    """A connection counts only once the server has spoken HTTP/2."""

    async def scene() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        limits = Limits(handshake_seconds=0.01)
        async with (
            await asyncio.start_unix_server(silent, str(path)),
            channel_to(path, engine, limits=limits) as channel,
        ):
            with pytest.raises(Refusal, match=r"no answer within 0\.01 s") as caught:
                await channel.unary(SAY, Said(), timeout=5)
            assert caught.value.kind is Kind.UNAVAILABLE

    run(scene())


@contextlib.asynccontextmanager
async def mute_server(path: Path) -> AsyncIterator[list[bytes]]:
    """Greets, and then reads without ever saying anything."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        while received := await reader.read(65_536):
            heard.append(received)
        writer.close()

    async with await asyncio.start_unix_server(serve, str(path)):
        yield heard


def test_a_server_that_is_dead_is_noticed(run: Run, path: Path, engine: EngineName) -> None:
    """While calls wait for a silent server it is pinged, and given up when it does not answer."""

    async def scene() -> None:
        clock = StandingClock()
        limits = Limits(ping_after=330, ping_seconds=20, sweep_seconds=5)
        async with (
            mute_server(path) as heard,
            channel_to(path, engine, clock=clock, limits=limits) as channel,
        ):
            waiting = asyncio.ensure_future(channel.unary(SAY, Said(), timeout=9))
            while not clock.sleepers:
                await settle()
            for _ in range(60):
                await clock.pass_time(5)
            assert b"finial" not in b"".join(heard[1:])
            for _ in range(15):
                await clock.pass_time(5)
            with pytest.raises(Refusal, match="the connection was lost") as caught:
                await waiting
            assert caught.value.kind is Kind.UNAVAILABLE
            assert b"finial\0\0" in b"".join(heard)

    run(scene())


def test_an_idle_connection_is_not_pinged(run: Run, path: Path, engine: EngineName) -> None:
    """Servers take pings without calls for abuse."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            mute_server(path) as heard,
            channel_to(path, engine, clock=clock, limits=Limits(ping_after=10)) as channel,
        ):
            while not channel.is_connected:
                with pytest.raises(Refusal, match="within"):
                    await channel.unary(SAY, Said(), timeout=0.01)
            while not clock.sleepers:
                await settle()
            for _ in range(20):
                await clock.pass_time(5)
            assert b"finial\0\0" not in b"".join(heard)
            assert channel.is_connected

    run(scene())


def test_a_server_that_speaks_http1_is_unreachable(
    run: Run, path: Path, engine: EngineName
) -> None:
    """What is no HTTP/2 is unreachable, at the latest when the time for greetings is over."""

    async def scene() -> None:
        async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            await reader.read()
            writer.close()

        async with (
            await asyncio.start_unix_server(web, str(path)),
            channel_to(path, engine, limits=Limits(handshake_seconds=0.2)) as channel,
        ):
            with pytest.raises(Refusal, match="cannot reach"):
                await channel.unary(SAY, Said(), timeout=5)

    run(scene())
