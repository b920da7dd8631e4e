"""Our client against our server."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Kind, Reason, Refusal
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
    channel_to,
    echo_server,
)

Run = Callable[[Any], None]


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
