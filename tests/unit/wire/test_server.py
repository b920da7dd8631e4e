"""What a server of the layer answers to requests good and bad, and what it bounds."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.limits import Limits
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import settle
from tests.doubles.echo import Echo, echo_server
from tests.doubles.raw_http2 import framed, raw_client, request_headers, said

Run = Callable[[Any], None]


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
