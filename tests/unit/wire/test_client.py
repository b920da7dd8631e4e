"""Our client against our server, and against servers that misbehave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import StandingClock, settle
from tests.doubles.echo import (
    CONVERSE,
    GATHER,
    REPEAT,
    SAY,
    SAY_LATER,
    UNANSWERED,
    Echo,
    Said,
    echo_server,
)

Run = Callable[[Any], None]


@contextlib.asynccontextmanager
async def channel_to(path: Path, engine: EngineName, **settings: Any) -> AsyncIterator[Channel]:
    channel = Channel(UnixAddress(path), engine=engine, **settings)
    try:
        yield channel
    finally:
        await channel.close()


def test_all_four_kinds_of_calls(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """Unary, server stream, client stream and bidirectional calls over one connection."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine) as server,
            channel_to(path, engine) as channel,
        ):
            assert (await channel.unary(SAY, Said(text="a"), timeout=5)).text == "a"
            async with channel.stream(REPEAT) as stream:
                await stream.send(Said(text="b", count=3))
                await stream.end()
                assert [said.count async for said in stream] == [0, 1, 2]
            async with channel.stream(GATHER) as stream:
                for text in "cd":
                    await stream.send(Said(text=text))
                await stream.end()
                assert (await stream.receive()).text == "c,d"
                assert await stream.receive() is None
            async with channel.stream(CONVERSE) as stream:
                await stream.send(Said(text="e"))
                assert (await stream.receive()).text == "e"
            assert (server.connections, channel.is_connected) == (1, True)

    run(scene())


def test_many_calls_at_once(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """Calls on one connection do not mix, large answers included."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:

            async def one(number: int) -> None:
                said = Said(text=str(number), body=bytes([number]) * 3000, count=10)
                answer = await channel.unary(SAY, said, timeout=5)
                assert (answer.text, answer.body) == (str(number), bytes([number]) * 30_000)

            await asyncio.gather(*map(one, range(60)))

    run(scene())


@pytest.mark.parametrize("method", [SAY, SAY_LATER])
def test_a_refusal_comes_back_with_its_reason(
    run: Run, path: Path, echo: Echo, engine: EngineName, method: Any
) -> None:
    """Kind, text and reason of a refusal are the same on both sides."""
    echo.go_on.set()

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:
            with pytest.raises(Refusal) as caught:
                await channel.unary(method, Said(text="refuse"), timeout=5)
            assert caught.value.kind is Kind.DENIED
            assert caught.value.detail == "no, naïve 100%"
            assert caught.value.reason is Reason.AGENT_BANNED

    run(scene())


def test_a_refusal_amid_a_stream_follows_its_messages(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """What was sent before a refusal is received, then the refusal is raised."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine),
            channel_to(path, engine) as channel,
            channel.stream(REPEAT) as stream,
        ):
            await stream.send(Said(text="missing", count=2))
            await stream.end()
            assert [(await stream.receive()).count for _ in range(2)] == [0, 1]
            with pytest.raises(Refusal, match="nothing here"):
                await stream.receive()
            with pytest.raises(Refusal, match="nothing here"):
                await stream.send(Said())

    run(scene())


def test_an_unknown_method_is_unimplemented(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A server that does not know a method says so (WEP-18)."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:
            with pytest.raises(Refusal) as caught:
                await channel.unary(UNANSWERED, Said(), timeout=5)
            assert caught.value.kind is Kind.UNIMPLEMENTED

    run(scene())


def test_a_call_that_takes_too_long_is_given_up(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """After its timeout a call is a refusal here, and its handler is cancelled there."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine) as server,
            channel_to(path, engine) as channel,
        ):
            with pytest.raises(Refusal) as caught:
                await channel.unary(SAY_LATER, Said(), timeout=0.01)
            assert caught.value.kind is Kind.TIMEOUT
            async with channel.stream(CONVERSE, timeout=0.01) as stream:
                with pytest.raises(Refusal) as caught:
                    await stream.receive()
            assert caught.value.kind is Kind.TIMEOUT
            assert (await channel.unary(SAY, Said(text="x"), timeout=5)).text == "x"
            assert server.calls == 0

    run(scene())


def test_leaving_a_stream_cancels_it(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A client that leaves early resets the stream, and so ends the handler."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:
            async with channel.stream(REPEAT) as stream:
                await stream.send(Said(text="stay", count=1))
                await stream.end()
                await stream.receive()
            await channel.unary(SAY, Said(), timeout=5)
            await settle()
            assert echo.cancelled == ["Repeat"]

    run(scene())


def test_a_cancelled_call_is_reset(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """Cancelling the task that waits for an answer cancels the call at the server."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine) as server,
            channel_to(path, engine) as channel,
        ):
            waiting = asyncio.ensure_future(channel.unary(SAY_LATER, Said(), timeout=5))
            while not server.calls:
                await settle()
            waiting.cancel()
            await channel.unary(SAY, Said(), timeout=5)
            await settle()
            assert echo.cancelled == ["SayLater"]

    run(scene())


def test_metadata_is_sent(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """Text and binary metadata arrive as they were given."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:
            metadata = [("key", "1"), ("key-bin", b"\1\xff")]
            await channel.unary(SAY, Said(text="metadata"), timeout=5, metadata=metadata)
        assert echo.seen == [(("1",), (b"\1\xff",))]

    run(scene())


def test_a_lost_connection_is_made_again(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Open calls end as unavailable; the next call connects anew."""

    async def scene() -> None:
        async with channel_to(path, engine) as channel:
            async with echo_server(path, echo, engine=engine) as server:
                waiting = asyncio.ensure_future(channel.unary(SAY_LATER, Said(), timeout=5))
                while not server.calls:
                    await settle()
                server.close_connections(lambda peer: True)
                with pytest.raises(Refusal) as caught:
                    await waiting
                assert caught.value.kind is Kind.UNAVAILABLE
                assert (await channel.unary(SAY, Said(text="x"), timeout=5)).text == "x"
            with pytest.raises(Refusal, match="cannot reach unix:"):
                await channel.unary(SAY, Said(), timeout=5)

    run(scene())


def test_a_closed_channel_calls_nobody(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """After `close` every call is unavailable."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), channel_to(path, engine) as channel:
            await channel.unary(SAY, Said(), timeout=5)
            await channel.close()
            with pytest.raises(Refusal, match="is closed"):
                await channel.unary(SAY, Said(), timeout=5)

    run(scene())


def test_a_retired_connection_finishes_what_it_has(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """New calls go over a new connection while the old one's calls end in peace."""

    async def scene() -> None:
        async with (
            echo_server(path, echo, engine=engine) as server,
            channel_to(path, engine) as channel,
        ):
            waiting = asyncio.ensure_future(channel.unary(SAY_LATER, Said(text="x"), timeout=5))
            while not server.calls:
                await settle()
            channel.retire()
            await channel.unary(SAY, Said(), timeout=5)
            assert server.connections == 2
            echo.go_on.set()
            assert (await waiting).text == "x"
            while server.connections != 1:
                await settle()

    run(scene())


def test_a_server_that_goes_away_is_left_in_peace(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """After GOAWAY open calls finish where they are, and new ones take a new connection."""

    async def scene() -> None:
        clock = StandingClock()
        limits = Limits(longest_age=60, ping_after=1000)
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=limits) as server,
            channel_to(path, engine) as channel,
            channel.stream(CONVERSE) as stream,
        ):
            await stream.send(Said(text="a"))
            assert (await stream.receive()).text == "a"
            clock.advance(61)
            server.sweep(clock.monotonic())
            while channel.is_connected:
                await settle()
            assert (await channel.unary(SAY, Said(text="b"), timeout=5)).text == "b"
            assert server.connections == 2
            await stream.send(Said(text="c"))
            assert (await stream.receive()).text == "c"
            await stream.end()
            assert await stream.receive() is None
            while server.connections != 1:
                await settle()

    run(scene())


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
