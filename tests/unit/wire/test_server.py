"""What a server of the layer answers, seen by a client that may do anything."""

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import service
from finial.wire.http2.engine import EngineName
from finial.wire.status import Code
from tests.doubles.clock import settle
from tests.doubles.echo import ECHO, Echo, Said, echo_server
from tests.doubles.raw_http2 import Answer, framed, raw_client, request_headers

Run = Callable[[Any], None]


def said(**fields: Any) -> bytes:
    return framed(Said(**fields).SerializeToString())


def test_a_unary_call_is_answered(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A request of one message gets headers, one message and the status OK (WEP-02, WEP-07)."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            answer = await client.answer(client.request(body=said(text="hi")))
            assert answer.headers[":status"] == "200"
            assert answer.headers["content-type"] == "application/grpc"
            assert (answer.status, answer.body) == ("0", said(text="hi"))

    run(scene())


def test_a_request_ended_by_trailers_is_answered(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Trailers of a request mean nothing in gRPC, but they end it."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(body=said(text="hi"), end=False)
            client.http2.send_headers(stream, [("x-checksum", "1")], end_stream=True)
            client.flush()
            assert (await client.answer(stream)).body == said(text="hi")

    run(scene())


def test_a_request_in_single_bytes_is_answered(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """It does not matter how a body is cut into frames, nor how frames are cut by the network."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(end=False)
            for byte in said(text="hello"):
                client.send(stream, bytes([byte]))
            client.send(stream, b"", end=True)
            assert (await client.answer(stream)).body == said(text="hello")

    run(scene())


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": "application/json"},
        {"content_type": None},
        {"content_type": "application/grpc-web"},
        {":method": "GET"},
    ],
)
def test_what_is_not_grpc_is_answered_in_http(
    run: Run, path: Path, echo: Echo, engine: EngineName, changes: Any
) -> None:
    """A request of another kind gets an HTTP status and no words of gRPC."""
    status = "405" if ":method" in changes else "415"

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            headers = request_headers(**{"path": "/echo.Echo/Say", **changes})
            answer = await client.answer(client.request(headers))
            assert answer.headers == {":status": status, "content-type": "text/plain"}
            assert answer.body == b"this is a gRPC server\n"

    run(scene())


@pytest.mark.parametrize("content_type", ["application/grpc+proto", "application/grpc;x=y"])
def test_variants_of_the_content_type_are_taken(
    run: Run, path: Path, echo: Echo, engine: EngineName, content_type: str
) -> None:
    """A suffix or parameter of application/grpc does no harm."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            headers = request_headers(content_type=content_type)
            assert (await client.answer(client.request(headers, said()))).status == "0"

    run(scene())


REFUSED_HEADS = {
    "an unknown service": ({"path": "/echo.Nobody/Say"}, 12, "unknown method /echo.Nobody/Say"),
    "an unanswered method": ({"path": "/echo.Echo/Unanswered"}, 12, "unknown method"),
    "a compressed request": ({"grpc_encoding": "gzip"}, 12, "'gzip' is not supported"),
    "a malformed timeout": ({"grpc_timeout": "soon"}, 3, "malformed grpc-timeout"),
}


@pytest.mark.parametrize("name", REFUSED_HEADS)
def test_a_bad_head_is_refused_in_trailers_only(
    run: Run, path: Path, echo: Echo, engine: EngineName, name: str
) -> None:
    """A call that cannot begin is refused by its headers alone, and the connection goes on."""
    changes, code, message = REFUSED_HEADS[name]

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            stream = client.request(request_headers(**changes), said(), end=False)
            answer = await client.answer(stream)
            assert (answer.status, answer.body) == (str(code), b"")
            assert message in answer.message
            assert answer.headers["grpc-accept-encoding"] == "identity"
            assert (await client.answer(client.request(body=said()))).status == "0"

    run(scene())


REFUSED_BODIES = {
    "a compressed message": (framed(b"", compressed=1), 13),
    "what is no message": (framed(b"\xff\xff"), 3),
    "half a message": (framed(b"ab", length=3), 3),
    "half a prefix": (b"\0\0", 3),
    "no message": (b"", 12),
    "two messages": (said() + said(), 12),
    "a message that is too large": (framed(b"", length=2**32 - 1), 8),
}


@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_a_bad_body_is_refused(
    run: Run, path: Path, echo: Echo, engine: EngineName, name: str
) -> None:
    """A method that takes one message refuses anything else."""
    body, code = REFUSED_BODIES[name]

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server, raw_client(path) as client:
            for method in ("Say", "Repeat"):
                stream = client.request(request_headers(f"/echo.Echo/{method}"), body)
                assert (await client.answer(stream)).status == str(code)
            assert (await client.answer(client.request(body=said()))).status == "0"
            assert server.calls == 0

    run(scene())


def test_a_message_that_is_too_large_is_refused_before_it_has_come(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """The announcement is enough; the stream is reset, so that the client stops sending."""

    async def scene() -> None:
        limits = Limits(max_message=1000)
        async with (
            echo_server(path, echo, engine=engine, limits=limits),
            raw_client(path) as client,
        ):
            stream = client.request(body=framed(b"", length=1001), end=False)
            answer = await client.answer(stream)
            assert answer.status == "8"
            while answer.reset is None and await client.receive():
                pass
            assert answer.reset == 0

    run(scene())


def test_a_bug_is_logged_whole_and_told_to_nobody(
    run: Run, path: Path, echo: Echo, engine: EngineName, caplog: Any
) -> None:
    """An exception that is no refusal is INTERNAL outside, with its trace in the log inside."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            for method in ("Say", "SayLater"):
                echo.go_on.set()
                headers = request_headers(f"/echo.Echo/{method}")
                answer = await client.answer(client.request(headers, said(text="bug")))
                assert (answer.status, answer.message) == ("13", "internal error")
                assert "secret" not in str(answer)

    with caplog.at_level(logging.ERROR, "finial.wire"):
        run(scene())
    assert caplog.text.count("ValueError: a secret of ours") == 2


def test_metadata_reaches_the_handler(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """All values of a key arrive, binary ones decoded; gRPC's own headers are left out."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            headers = [*request_headers(), ("key", "1"), ("key", "2"), ("key-bin", "AQI")]
            await client.answer(client.request(headers, said(text="metadata")))
        assert echo.seen == [(("1", "2"), (b"\1\2",))]

    run(scene())


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


@pytest.mark.parametrize("failure", [Refusal(Kind.DENIED, "go away"), ValueError("broken")])
def test_a_peer_that_is_not_identified_is_not_served(
    run: Run, path: Path, echo: Echo, engine: EngineName, failure: Exception
) -> None:
    """The connection is closed before anything is read, and nobody is released."""
    released: list[Any] = []

    async def scene() -> None:
        def identify(transport: Any) -> str:
            raise failure

        async with (
            echo_server(
                path, echo, engine=engine, identify=identify, release=released.append
            ) as server,
            raw_client(path) as client,
        ):
            await client.until_closed()
            assert (server.connections, client.is_closed, released) == (0, True, [])

    run(scene())


def test_one_peer_may_not_take_every_connection(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """Connections beyond the limit of their key are told to be calm; those before go on."""

    async def scene() -> None:
        limits = Limits(max_connections_per_key=1)
        async with (
            echo_server(path, echo, engine=engine, limits=limits) as server,
            raw_client(path) as first,
        ):
            assert (await first.answer(first.request(body=said()))).status == "0"
            async with raw_client(path) as second:
                await second.until_closed()
                assert second.goaway == 0xB
            assert (await first.answer(first.request(body=said()))).status == "0"
            first.writer.close()
            while server.connections:
                await settle()
            async with raw_client(path) as third:
                assert (await third.answer(third.request(body=said()))).status == "0"

    run(scene())


def test_streams_have_a_limit(run: Run, path: Path, echo: Echo) -> None:
    """A stream beyond the announced number is refused, and the others go on."""

    async def scene() -> None:
        limits = Limits(max_streams=2)
        async with (
            echo_server(path, echo, engine=EngineName.NGH2, limits=limits),
            raw_client(path) as client,
        ):
            headers = request_headers("/echo.Echo/SayLater")
            streams = [client.request(headers, said(text="x")) for _ in range(3)]
            refused = await client.answer(streams[2])
            assert refused.reset == 7
            echo.go_on.set()
            assert (await client.answer(streams[0])).status == "0"

    run(scene())


def test_headers_have_a_limit(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A request with more headers than announced is not served; the server stays up."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server:
            async with raw_client(path) as client:
                headers = [*request_headers(), *((f"x-{n}", "y" * 200) for n in range(400))]
                stream = client.request(headers, said())
                await client.answer(stream)
                assert client.answers[stream].status == ""
            async with raw_client(path) as client:
                assert (await client.answer(client.request(body=said()))).status == "0"
            assert server.calls == 0

    run(scene())


def test_the_socket_has_exactly_its_mode(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """The socket's mode is what was asked for, and it goes when the server does (WEP-03)."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine):
            modes.append(stat.S_IMODE(os.stat(path).st_mode))

    modes: list[int] = []
    run(scene())
    assert modes == [0o600]
    assert not path.exists()


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """What a crashed server left behind is no obstacle; a running one is."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine):
            with pytest.raises(Refusal, match="listens on") as caught:
                async with echo_server(path, echo, engine=engine):
                    pass
            assert caught.value.kind is Kind.EXISTS

    run(scene())


def test_a_path_that_is_too_long_is_refused(run: Run, path: Path, echo: Echo) -> None:
    """The kernel's bound is named, where its own error would say nothing useful."""

    async def scene() -> None:
        with pytest.raises(Refusal, match="at most 107 bytes"):
            async with echo_server(path / ("x" * 100), echo):
                pass

    run(scene())


def test_a_file_is_not_taken_for_a_dead_socket(run: Run, path: Path, echo: Echo) -> None:
    """Nothing but a socket is ever removed to make room for ours."""
    path.write_text("precious")

    async def scene() -> None:
        with pytest.raises(Refusal, match="no socket"):
            async with echo_server(path, echo):
                pass

    run(scene())
    assert path.read_text() == "precious"


def test_an_unknown_frame_is_ignored(run: Run, path: Path, echo: Echo, engine: EngineName) -> None:
    """A frame of a type that nobody knows changes nothing (RFC 9113, section 5.5)."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine), raw_client(path) as client:
            client.writer.write(b"\0\0\3\x7f\0\0\0\0\0abc")
            assert (await client.answer(client.request(body=said()))).status == "0"

    run(scene())


def test_what_is_no_http2_is_not_talked_to(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """A client that speaks HTTP/1.1 is disconnected."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine) as server:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.read()
            writer.close()
            while server.connections:
                await settle()

    run(scene())
