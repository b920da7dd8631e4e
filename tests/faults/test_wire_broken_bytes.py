"""Broken frames, prefixes, headers and trailers: the server stays up and nobody else notices."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from h2.exceptions import ProtocolError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finial.wire.grpc.call import Call
from finial.wire.grpc.server import Server
from finial.wire.grpc.serving.server_connection import ServerConnection
from finial.wire.http2.engine import EngineName
from tests.doubles.clock import settle
from tests.doubles.echo import Echo, Said, echo_server
from tests.doubles.raw_http2 import RawClient, framed, raw_client, request_headers

SAID = framed(Said(text="x").SerializeToString())
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

frames = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 1, 1, 3, 2, 5, 2**31 - 1]),
    st.binary(max_size=40),
)
names = st.sampled_from(
    [
        ":path",
        ":method",
        ":status",
        "content-type",
        "te",
        "grpc-timeout",
        "grpc-encoding",
        "grpc-status",
        "x",
        "x-bin",
        "connection",
        "content-length",
        "Upper",
        "cookie",
        ":",
    ]
)
values = st.one_of(
    st.sampled_from(["/echo.Echo/Say", "/echo.Echo/Converse", "application/grpc", "1S", "0", "-1"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


@pytest.fixture(params=list(EngineName), ids=str)
def engine(request: pytest.FixtureRequest) -> EngineName:
    return EngineName(request.param)


@contextlib.asynccontextmanager
async def witness(path: Path, engine: EngineName) -> AsyncIterator[tuple[Server[Any], RawClient]]:
    """A server, and a client whose stream has to live through whatever the others do."""
    async with (
        echo_server(path, Echo(), engine=engine) as server,
        raw_client(path) as client,
    ):
        stream = client.request(request_headers("/echo.Echo/Converse"), SAID, end=False)
        while client.answers[stream].body != SAID:
            await client.receive()
        yield server, client
        client.send(stream, SAID)
        while client.answers[stream].body != SAID * 2:
            assert await client.receive()
        while server.connections > 1:
            await settle()
        assert server.calls == 1
        assert (await client.answer(client.request(body=SAID))).status == "0"


def nothing_was_a_bug(caplog: Any) -> None:
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def send(path: Path, sent: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    with contextlib.suppress(ConnectionError):
        writer.write(sent)
        await settle(5)
        writer.close()
        await writer.wait_closed()
    del reader


def test_any_bytes(tmp_path: Path, engine: EngineName, caplog: Any) -> None:
    """Bytes that are no HTTP/2 at all, with and without its preface."""

    async def scene() -> None:
        async with witness(tmp_path / "s", engine):

            @EXAMPLES
            @given(st.sampled_from([b"", PREFACE[:9], PREFACE, PREFACE + SETTINGS]), st.binary())
            def example(start: bytes, rest: bytes) -> None:
                sent.append(start + rest)

            sent: list[bytes] = []
            example()
            for each in sent:
                await send(tmp_path / "s", each)

    asyncio.run(scene())
    nothing_was_a_bug(caplog)


def test_any_frames(tmp_path: Path, engine: EngineName, caplog: Any) -> None:
    """Well-formed frames in any order, of any type, with any flags, around a good request."""

    async def scene() -> None:
        async with witness(tmp_path / "s", engine):

            @EXAMPLES
            @given(st.lists(frames, max_size=6), st.lists(frames, max_size=6))
            def example(before: Sequence[bytes], after: Sequence[bytes]) -> None:
                sent.append((b"".join(before), b"".join(after)))

            sent: list[tuple[bytes, bytes]] = []
            example()
            for before, after in sent:
                async with raw_client(tmp_path / "s", begun=False) as client:
                    client.http2.initiate_connection()
                    client.writer.write(client.http2.data_to_send() + before)
                    client.request(body=SAID, end=False)
                    client.writer.write(after)
                    await settle(5)

    asyncio.run(scene())
    nothing_was_a_bug(caplog)


def test_any_headers_and_trailers(tmp_path: Path, engine: EngineName, caplog: Any) -> None:
    """Any header fields, pseudo-headers included, before and after any body."""
    fields = st.lists(st.tuples(names, values), max_size=6)

    async def scene() -> None:
        async with witness(tmp_path / "s", engine):

            @EXAMPLES
            @given(st.booleans(), fields, st.binary(max_size=20), st.none() | fields)
            def example(is_good: bool, head: Any, body: bytes, tail: Any) -> None:
                sent.append(([*(request_headers() if is_good else ()), *head], body, tail))

            sent: list[tuple[Any, bytes, Any]] = []
            example()
            for head, body, tail in sent:
                async with raw_client(tmp_path / "s") as client:
                    try:
                        stream = client.request(head or [("x", "y")], body, end=not tail)
                        if tail:
                            client.http2.send_headers(stream, tail, end_stream=True)
                            client.flush()
                    except (ValueError, KeyError, IndexError, ProtocolError):
                        continue  # the double cannot even write it
                    await settle(5)

    asyncio.run(scene())
    nothing_was_a_bug(caplog)


def test_any_bodies(tmp_path: Path, engine: EngineName, caplog: Any) -> None:
    """Any prefixes and messages, cut anywhere, on methods of each kind."""
    methods = st.sampled_from(["Say", "SayLater", "Repeat", "Gather", "Converse"])
    lies = st.builds(
        lambda body, compressed, length: framed(body, compressed=compressed, length=length),
        st.binary(max_size=30),
        st.sampled_from([0, 0, 0, 1, 255]),
        st.none() | st.integers(0, 40) | st.integers(0, 2**32 - 1),
    )

    async def scene() -> None:
        async with witness(tmp_path / "s", engine):

            @EXAMPLES
            @given(methods, st.lists(lies, max_size=4), st.integers(1, 50), st.booleans())
            def example(name: str, bodies: Sequence[bytes], cut: int, end: bool) -> None:
                sent.append((name, b"".join(bodies), cut, end))

            sent: list[tuple[str, bytes, int, bool]] = []
            example()
            for name, body, cut, end in sent:
                async with raw_client(tmp_path / "s") as client:
                    stream = client.request(request_headers(f"/echo.Echo/{name}"), end=False)
                    for at in range(0, len(body), cut):
                        client.send(stream, body[at : at + cut])
                    client.send(stream, b"", end=end)
                    await settle(5)

    asyncio.run(scene())
    nothing_was_a_bug(caplog)


def test_memory_comes_back(tmp_path: Path, engine: EngineName) -> None:
    """Of connections that broke amid calls nothing is left."""

    async def scene() -> None:
        path = tmp_path / "s"
        async with echo_server(path, Echo(), engine=engine) as server:
            for number in range(60):
                async with raw_client(path) as client:
                    for name in ("Say", "SayLater", "Repeat", "Converse"):
                        headers = request_headers(f"/echo.Echo/{name}")
                        client.request(headers, SAID[: number % 8], end=number % 3 == 0)
                    client.writer.write(frames_of(number))
                    await settle(3)
            while server.connections:
                await settle()
            await settle()
            gc.collect()
            left = [
                each
                for each in gc.get_objects()
                if (isinstance(each, ServerConnection) and each.server is server)
                or (isinstance(each, Call) and each._connection.server is server)
            ]
            assert left == []

    asyncio.run(scene())


def frames_of(number: int) -> bytes:
    return b"\0\0\4" + bytes([number % 10, number]) + b"\0\0\0\1" + bytes(4)
