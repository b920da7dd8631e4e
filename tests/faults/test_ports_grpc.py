"""What nobody should send to a gRPC port, sent to each of them."""

import asyncio
import os
import random
from collections.abc import Iterator

import h2.exceptions
import pytest

from tests.doubles.ports import GRPC_PORTS, Port, port, unharmed
from tests.doubles.programs import Up, up
from tests.doubles.raw_http2 import Answer, RawClient, framed

pytestmark = pytest.mark.slow
MIB = 1024 * 1024
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK, INVALID, EXHAUSTED, UNIMPLEMENTED, INTERNAL = "0", "3", "8", "12", "13"


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    with up("--no-rate-limits") as running:
        running.register("/bystander", f"unix:uid:{os.getuid()}")
        yield running


@pytest.fixture(params=GRPC_PORTS)
def target(request: pytest.FixtureRequest, world: Up) -> Iterator[Port]:
    found = port(world, request.param)
    asyncio.run(good(found))
    with unharmed(world):
        yield found
        asyncio.run(good(found))


async def good(target: Port) -> None:
    """A good request is answered."""
    async with target.client() as client:
        stream = client.request(target.headers(), framed(b""), end=True)
        answer = await first_message(client, stream)
        assert len(answer.body) > 5, answer


async def first_message(client: RawClient, stream: int) -> Answer:
    answer = client.answers[stream]
    while not answer.ended and len(answer.body) <= 5 and await client.receive():
        pass
    return answer


async def ask(target: Port, body: bytes, **changes: str | None) -> Answer:
    async with target.client() as client:
        path = changes.pop("path", None)
        stream = client.request(target.headers(path, **changes), body)
        async with asyncio.timeout(10):
            return await client.answer(stream)


def test_unknown_methods(target: Port) -> None:
    """What is not served is Unimplemented, and the answer says so."""
    service = target.method.rpartition("/")[0]
    paths = (f"{service}/Nothing", "/nobody.Knows/It", "/", "/" + "x" * 4000, "//", "/%00/../..")
    for path in paths:
        answer = asyncio.run(ask(target, framed(b""), path=path))
        assert (answer.status, "unknown method" in answer.message) == (UNIMPLEMENTED, True), path


def test_messages_that_lie(target: Port) -> None:
    """Too long, cut short, compressed, garbled and several at once: each has its status."""
    limit = framed(b"", length=5 * MIB)
    cases: list[tuple[bytes, str, str]] = [
        (limit, EXHAUSTED, "larger than the limit of"),
        (framed(b"", length=0xFFFFFFFF), EXHAUSTED, "larger than the limit of"),
        (framed(b"short", length=100), INVALID, "ended amid a message"),
        (b"\0\0", INVALID, "ended amid a message"),
        (framed(b"x", compressed=1), INTERNAL, "compressed"),
        (framed(b"\xff\xff\xff\xff"), INVALID, "the request is no "),
        (framed(b"\x0a" * 100), INVALID, "the request is no "),
        (framed(b"") * 3, UNIMPLEMENTED, "exactly one message"),
        (b"", UNIMPLEMENTED, "exactly one message"),
    ]
    for body, status, said in cases:
        answer = asyncio.run(ask(target, body))
        assert (answer.status, said in answer.message) == (status, True), (body[:20], answer)


def test_compression_that_was_not_agreed(target: Port) -> None:
    """An encoding that we do not know is Unimplemented, and we say which we take."""
    answer = asyncio.run(ask(target, framed(b"x", compressed=1), grpc_encoding="gzip"))
    assert answer.status == UNIMPLEMENTED
    assert "gzip" in answer.message
    assert answer.headers["grpc-accept-encoding"] == "identity"


def test_requests_that_are_not_grpc(target: Port) -> None:
    """Another method or content is answered in HTTP's words."""
    for changes, status in (
        ({":method": "GET"}, "405"),
        ({"content-type": "application/json"}, "415"),
        ({"content-type": None}, "415"),
    ):
        answer = asyncio.run(ask(target, b"", **changes))
        assert answer.headers[":status"] == status


def test_headers_that_are_too_many(target: Port) -> None:
    """Headers beyond the bounds cost their sender the request or the connection."""

    async def huge(more: list[tuple[str, str]]) -> None:
        async with target.client() as client:
            stream = client.request([*target.headers(), *more], framed(b""))
            async with asyncio.timeout(10):
                answer = await client.answer(stream)
            refused = answer.reset is not None or client.is_closed or answer.status not in ("", OK)
            assert refused or answer.headers.get(":status") == "431", answer

    asyncio.run(huge([("x-big", "v" * 20_000)]))
    asyncio.run(huge([(f"x-{number}", "v") for number in range(1000)]))


def test_unknown_frames_are_passed_over(target: Port) -> None:
    """RFC 9113, 5.5: frames of unknown types are ignored."""

    async def scene() -> None:
        async with target.client() as client:
            for kind in (0x0A, 0x42, 0xEE, 0xFF):
                client.writer.write(bytes([0, 0, 4, kind, 0xFF, 0, 0, 0, 0]) + b"what")
            stream = client.request(target.headers(), framed(b""))
            answer = await first_message(client, stream)
            assert len(answer.body) > 5

    asyncio.run(scene())


def test_frames_that_are_forbidden(target: Port) -> None:
    """Frames that are too large, on the wrong stream or of a wrong length end the connection."""
    for frame in (
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # DATA of 16 MB on an idle stream
        b"\x00\x00\x00\x01\x05\x00\x00\x00\x00",  # HEADERS on stream 0
        b"\x00\x00\x05\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # SETTINGS of 5 bytes
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # WINDOW_UPDATE by 0
        b"\x00\x00\x00\x09\x04\x00\x00\x00\x01",  # CONTINUATION of nothing
        b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",  # HEADERS that HPACK cannot read
    ):
        asyncio.run(ended_by(target, PREFACE + b"\0\0\0\4\0\0\0\0\0" + frame))


async def ended_by(target: Port, said: bytes) -> None:
    reader, writer = await target.connect(greets=True)
    writer.write(said)
    async with asyncio.timeout(15):
        while await read(reader):
            pass
    writer.close()


async def read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except OSError:
        return b""


def test_random_bytes(target: Port) -> None:
    """Bytes that are no HTTP/2, or no TLS, end their connection."""
    chance = random.Random(1)

    async def throw(greets: bool, size: int) -> None:
        reader, writer = await target.connect(greets=greets)
        writer.write(chance.randbytes(size))
        with_end = asyncio.timeout(15)
        async with with_end:
            while await read(reader):
                pass
        writer.close()

    async def scene() -> None:
        for size in (30, 300, 100_000):
            await throw(True, size)
            await throw(False, size)

    asyncio.run(scene())


def test_random_frames_on_open_connections(target: Port) -> None:
    """Frames of any kind, flags and content never cost more than their connection."""
    chance = random.Random(2)

    async def scene() -> None:
        for _ in range(25):
            async with target.client() as client:
                client.request(target.headers(), framed(b""))
                for _ in range(chance.randrange(1, 20)):
                    size = chance.choice((0, 1, 4, 5, 8, 100))
                    head = size.to_bytes(3, "big") + chance.randbytes(2)
                    stream = chance.choice((0, 1, 3, 2, 2**31 - 1)).to_bytes(4, "big")
                    client.writer.write(head + stream + chance.randbytes(size))
                try:
                    async with asyncio.timeout(0.2):
                        await client.until_closed()
                except (TimeoutError, h2.exceptions.ProtocolError):
                    continue

    asyncio.run(scene())


def test_many_streams_and_resets(target: Port) -> None:
    """Opening and resetting streams as fast as can be (CVE-2023-44487) harms nobody else."""

    async def scene() -> None:
        for _ in range(5):
            async with target.client() as client:
                try:
                    for _ in range(2000):
                        stream = client.request(target.headers(), framed(b""), end=False)
                        client.http2.reset_stream(stream)
                        client.flush()
                    async with asyncio.timeout(1):
                        await client.until_closed()
                except (OSError, TimeoutError, h2.exceptions.ProtocolError):
                    continue

    asyncio.run(scene())
