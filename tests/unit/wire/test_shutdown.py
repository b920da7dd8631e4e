"""How a server ends, and what time does to its connections."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import StandingClock, settle
from tests.doubles.echo import Echo, echo_server
from tests.doubles.raw_http2 import raw_client, request_headers, said

Run = Callable[[Any], None]
LATER = request_headers("/echo.Echo/SayLater")
CONVERSE = request_headers("/echo.Echo/Converse")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await settle()


def test_streams_end_as_unavailable_and_unary_calls_may_finish(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """At shutdown clients hear GOAWAY; streams are told to come again, answers still arrive."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server, raw_client(path) as client:
            stream = client.request(CONVERSE, end=False)
            unary = client.request(LATER, said(text="x"))
            await until(lambda: server.calls == 2)
            closing = asyncio.ensure_future(server.close(grace=5))
            answer = await client.answer(stream)
            assert (answer.status, answer.message) == ("14", "the server is shutting down")
            echo.go_on.set()
            assert (await client.answer(unary)).body == said(text="x")
            await client.until_closed()
            await closing
            assert (server.connections, client.goaway, echo.cancelled) == (0, 0, ["Converse"])

    run(scene())


def test_grace_has_an_end(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A unary call that does not finish in time ends as unavailable too."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server, raw_client(path) as client:
            unary = client.request(LATER, said(text="x"))
            await until(lambda: server.calls == 1)
            await server.close(grace=0.01)
            assert (await client.answer(unary)).status == "14"
            assert echo.cancelled == ["SayLater"]

    run(scene())


def test_connections_of_a_peer_can_be_closed(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Exactly the connections that the predicate names end, with their handlers."""
    names = iter(("one", "two"))
    released: list[str] = []

    async def scene() -> None:
        async with (
            echo_server(
                path,
                echo,
                engine=engine,
                identify=lambda transport: next(names),
                release=released.append,
            ) as server,
            raw_client(path) as one,
        ):
            await one.answer(one.request(body=said()))
            one.request(LATER, said())
            async with raw_client(path) as two:
                await two.answer(two.request(body=said()))
                server.close_connections(lambda peer: peer == "one")
                await one.until_closed()
                assert (await two.answer(two.request(body=said()))).status == "0"
                assert (released, echo.cancelled) == (["one"], ["SayLater"])

    run(scene())


LIMITS = Limits(
    handshake_seconds=10,
    request_seconds=30,
    stalled_seconds=60,
    idle_seconds=900,
    ping_after=120,
    ping_seconds=20,
    sweep_seconds=5,
)


async def pass_by(clock: StandingClock, seconds: float) -> None:
    """Let time pass in steps of the sweep."""
    for _ in range(int(seconds / 5)):
        await clock.pass_time(5)


def test_a_connection_that_never_greets_is_closed(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Whoever connects and says nothing is not kept longer than the time for greetings."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path, begun=False) as client,
        ):
            await until(lambda: server.connections == 1)
            await pass_by(clock, 5)
            assert server.connections == 1
            await pass_by(clock, 10)
            await client.until_closed()
            assert server.connections == 0

    run(scene())


@pytest.mark.parametrize("method", ["Say", "Repeat", "Converse"])
def test_a_request_that_does_not_arrive_is_given_up(
    run: Run, path: Path, echo: Echo, engine: EngineName, method: str
) -> None:
    """A message has to arrive within its time, however slowly its bytes trickle in."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            headers = request_headers(f"/echo.Echo/{method}")
            stream = client.request(headers, b"\0\0\0\0\x50", end=False)
            await until(lambda: server.calls == 1)
            await settle()
            for _ in range(8):
                client.send(stream, b"x")
                await pass_by(clock, 5)
                if not server.calls:
                    break
            answer = await client.answer(stream)
            assert (answer.status, answer.message) == (
                "4",
                "the request took too long to arrive",
            )
            assert (await client.answer(client.request(body=said()))).status == "0"

    run(scene())


def test_a_stream_may_be_silent_between_messages(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A bidirectional call that waits for nothing half-sent is left alone."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            stream = client.request(CONVERSE, said(text="a"), end=False)
            while client.answers[stream].body != said(text="a"):
                await client.receive()
            for _ in range(10):
                await pass_by(clock, 100)
                client.http2.ping(b"12345678")
                client.flush()
                await client.receive()
            assert server.calls == 1

    run(scene())


def test_an_idle_connection_is_closed(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A connection without calls ends with GOAWAY after its time, also if it answers pings."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            await client.answer(client.request(body=said()))
            reading = asyncio.ensure_future(client.until_closed())
            await pass_by(clock, 880)
            assert server.connections == 1
            await pass_by(clock, 30)
            await reading
            assert (server.connections, client.goaway) == (0, 0)

    run(scene())


def test_a_client_that_answers_no_ping_is_dead(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A silent client is asked for a sign of life, and its handlers end when there is none."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            headers = request_headers("/echo.Echo/Repeat")
            client.request(headers, said(text="stay", count=1))
            await until(lambda: server.calls == 1)
            await pass_by(clock, 125)
            assert server.connections == 1
            await pass_by(clock, 20)
            await settle()
            assert (server.connections, echo.cancelled) == (0, ["Repeat"])

    run(scene())


def test_a_client_that_does_not_read_is_dead_after_a_while(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """What was written has to be read in its time, or the connection ends."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            client.http2.increment_flow_control_window(2**30)
            stream = client.request(
                request_headers("/echo.Echo/Repeat"), said(count=1000, body=b"x" * 10_000)
            )
            client.http2.increment_flow_control_window(2**24, stream)
            client.flush()
            await until(lambda: any(c.writing_is_paused for c in server._connections))
            await pass_by(clock, 55)
            assert server.connections == 1
            await pass_by(clock, 15)
            await settle()
            assert (server.connections, echo.cancelled) == (0, ["Repeat"])

    run(scene())


def test_a_connection_has_an_age(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """Where an age is set, a connection that is older is drained, so that clients spread anew."""

    async def scene() -> None:
        clock = StandingClock()
        limits = Limits(longest_age=100, ping_after=1000)
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=limits) as server,
            raw_client(path) as client,
        ):
            stream = client.request(LATER, said(text="x"))
            await until(lambda: server.calls == 1)
            await pass_by(clock, 105)
            while client.goaway is None:
                await client.receive()
            echo.go_on.set()
            assert (await client.answer(stream)).status == "0"
            await client.until_closed()
            assert server.connections == 0

    run(scene())


def test_the_sweep_keeps_deadlines_of_calls_without_a_handler(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A deadline that passes before the request is there ends the call."""

    async def scene() -> None:
        clock = StandingClock()
        async with (
            echo_server(path, echo, engine=engine, clock=clock, limits=LIMITS) as server,
            raw_client(path) as client,
        ):
            headers = request_headers("/echo.Echo/Say", grpc_timeout="7S")
            stream = client.request(headers, b"\0\0", end=False)
            await until(lambda: server.calls == 1)
            await pass_by(clock, 10)
            answer = await client.answer(stream)
            assert (answer.status, answer.message) == ("4", "the deadline has passed")

    run(scene())
