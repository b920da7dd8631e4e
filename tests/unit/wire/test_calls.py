"""The life of a call: who lets it begin, how it is answered, and what ends it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import service
from finial.wire.http2.engine import EngineName
from finial.wire.status import Code
from tests.doubles.clock import settle
from tests.doubles.echo import ECHO, Echo, Said, echo_server
from tests.doubles.raw_http2 import Answer, raw_client, request_headers, said

Run = Callable[[Any], None]


def test_a_stream_is_answered_as_it_comes(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A bidirectional call answers each message before the next one is there."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(request_headers("/echo.Echo/Converse"), end=False)
            answer, expected = client.answers[stream], b""
            for text in ("one", "two"):
                client.send(stream, said(text=text))
                expected += said(text=text)
                while answer.body != expected:
                    assert await client.receive()
            client.send(stream, b"", end=True)
            assert (await client.answer(stream)).status == "0"

    run(scene())


def test_a_handler_may_end_before_its_client(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Messages and status are delivered, then the client's open half is reset with NO_ERROR."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(request_headers("/echo.Echo/Converse"), end=False)
            client.send(stream, said(text="x", body=b"y" * 9000) + said(text="end"))
            answer = await client.answer(stream)
            assert (answer.status, answer.body) == ("0", said(text="x"))
            while answer.reset is None and await client.receive():
                pass
            assert answer.reset == 0

    run(scene())


def test_a_handler_sends_nothing_after_its_call_has_ended(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A reset cancels the handler at once, and its call is counted once, as cancelled."""
    finished: list[tuple[str, Code]] = []

    async def scene() -> None:
        def note(call: Any, code: Code, seconds: float) -> None:
            assert seconds >= 0
            finished.append((call.method, code))

        async with (
            echo_server(path, echo, engine=engine, finished=note) as server,
            raw_client(path) as client,
        ):
            stream = client.request(
                request_headers("/echo.Echo/Repeat"), said(text="stay", count=1)
            )
            while not client.answers[stream].body:
                await client.receive()
            client.http2.reset_stream(stream, 8)
            await client.answer(client.request(body=said()))
            await settle()
            assert (server.calls, echo.cancelled) == (0, ["Repeat"])
        assert finished == [("/echo.Echo/Repeat", Code.CANCELLED), ("/echo.Echo/Say", Code.OK)]

    run(scene())


@pytest.mark.parametrize(
    "changes", [{":method": "GET"}, {"path": "/nobody"}, {}, {"path": "/echo.Echo/Converse"}]
)
def test_a_request_may_come_together_with_its_reset(
    run: Run, path: Path, echo: Echo, engine: EngineName, changes: Any
) -> None:
    """A stream that is reset before it can be answered harms neither the others nor the log."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            http2 = client.http2
            stream = http2.get_next_available_stream_id()
            http2.send_headers(stream, request_headers(**changes))
            http2.send_data(stream, said(), end_stream=True)
            http2.reset_stream(stream, 8)
            assert (await client.answer(client.request(body=said()))).status == "0"

    run(scene())


def test_a_lost_connection_cancels_and_releases_once(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """When a client vanishes its handlers are cancelled, and its peer is given back once."""
    released: list[str] = []

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine, release=released.append) as server:
            async with raw_client(path) as client:
                for method in ("Repeat", "SayLater", "Converse"):
                    headers = request_headers(f"/echo.Echo/{method}")
                    client.request(headers, said(text="stay"), end=method != "Converse")
                while server.calls != 3:
                    await client.receive()
                await settle()
            while server.connections:
                await settle()
            assert sorted(echo.cancelled) == ["Converse", "Repeat", "SayLater"]
            assert released == ["somebody"]

    run(scene())


def test_a_deadline_ends_a_call(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A handler that outlives the client's timeout is cancelled and the client told so."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            headers = request_headers("/echo.Echo/SayLater", grpc_timeout="1m")
            answer = await client.answer(client.request(headers, said()))
            assert answer.status == "4"
            await settle()
            assert echo.cancelled == ["SayLater"]

    run(scene())


def test_the_guard_is_asked_before_anything_is_read(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A call that the guard refuses ends by its headers, whatever its body would have been."""

    async def scene() -> None:
        def guard(call: Any) -> None:
            assert call.peer == "somebody"
            raise Refusal(Kind.DENIED, f"authorization denied for method {call.method}")

        async with (
            echo_server(path, echo, engine=engine, guard=guard),
            raw_client(path) as client,
        ):
            for method in ("Say", "Repeat", "Converse"):
                stream = client.request(request_headers(f"/echo.Echo/{method}"), end=False)
                answer = await client.answer(stream)
                assert answer.status == "7"
                assert method in answer.message

    run(scene())


@pytest.mark.parametrize("method", ["Say", "SayLater", "Repeat", "Converse"])
def test_a_guard_may_take_its_time(
    run: Run, path: Path, echo: Echo, engine: EngineName, method: str
) -> None:
    """What the guard returns is awaited before the handler runs; it may refuse even then."""
    echo.go_on.set()

    async def scene() -> None:
        async def think(call: Any) -> None:
            await settle()
            call.caller = "found"
            if call.metadata.get_all("refuse"):
                raise Refusal(Kind.UNAVAILABLE, "not now")

        def guard(call: Any) -> Awaitable[None]:
            return think(call)

        async with (
            echo_server(path, echo, engine=engine, guard=guard),
            raw_client(path) as client,
        ):
            headers = request_headers(f"/echo.Echo/{method}")
            for extra, status in ((), "0"), ((("refuse", "1"),), "14"):
                answer = await client.answer(client.request([*headers, *extra], said()))
                assert answer.status == status

    run(scene())


def test_a_fault_of_the_guard_or_the_observer_is_a_bug(
    run: Run, path: Path, echo: Echo, engine: EngineName, caplog: Any
) -> None:
    """A guard that fails lets nobody in; an observer that fails disturbs no call."""

    async def scene() -> None:
        def fail(*_: Any) -> None:
            raise ValueError("broken")

        async with (
            echo_server(path, echo, engine=engine, guard=fail),
            raw_client(path) as client,
        ):
            assert (await client.answer(client.request(body=said()))).status == "13"
        async with (
            echo_server(path, echo, engine=engine, finished=fail),
            raw_client(path) as client,
        ):
            assert (await client.answer(client.request(body=said()))).status == "0"

    run(scene())
    assert caplog.text.count("ValueError: broken") == 2


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_plain_function_may_answer_later(
    run: Run, path: Path, engine: EngineName, is_reset: bool
) -> None:
    """What a handler returns may be a message, or something to await for one."""

    async def scene() -> None:
        async def later() -> Any:
            return Said(text="later")

        handlers = {"Say": lambda call, request: later()}
        server: Server[Any] = Server(
            [service(ECHO, handlers)], identify=lambda transport: "", engine=engine
        )
        await server.listen_unix(path, 0o600)
        async with raw_client(path) as client:
            stream = client.http2.get_next_available_stream_id()
            client.answers[stream] = Answer()
            client.http2.send_headers(stream, request_headers())
            client.http2.send_data(stream, said(), end_stream=True)
            if is_reset:
                client.http2.reset_stream(stream, 8)
                assert (await client.answer(client.request(body=said()))).status == "0"
            else:
                client.flush()
                assert (await client.answer(stream)).body == said(text="later")
        await server.close(grace=1)

    run(scene())
