"""Crowds of idle connections, and those who send as slowly as they can."""

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.doubles.ports import ALL_PORTS, GRPC_PORTS, Port, port, unharmed
from tests.doubles.programs import Up, eventually, up
from tests.doubles.raw_http2 import framed
from tests.doubles.workload import fetch_jwt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
CROWD = 1000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TOO_LATE = "4"


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with up("--no-rate-limits") as running:
        running.register("/bystander", f"unix:uid:{os.getuid()}")
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.asynccontextmanager
async def crowd(target: Port) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections; over TCP every fifth one has finished its TLS handshake."""
    opened: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        for number in range(CROWD):
            greets = isinstance(target.where, tuple) and number % 5 == 0
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    opened.append(await target.connect(greets=greets))
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize("name", ALL_PORTS)
def test_a_thousand_idle_connections(world: Up, name: str) -> None:
    """Whoever sits there costs others nothing, and leaves nothing behind."""
    target = port(world, name)
    # These two know no callers but administrators and operators, and bound each user of them.
    away = (name,) if name in ("agent.sock", "admin.sock") else ()

    async def scene() -> None:
        async with crowd(target) as readers:
            assert len(readers) > CROWD // 2
            if name != "admin.sock":
                await asyncio.to_thread(served, world)

    with unharmed(world, megabytes=30, away=away):
        asyncio.run(scene())
    with unharmed(world):
        served(world)


def served(world: Up) -> None:
    """A change still reaches the workload: through all of server, stream and agent."""
    audience = f"crowd-{os.urandom(4).hex()}"
    socket = port(world, "workload.sock").where
    made = world.register(f"/{audience}", f"unix:uid:{os.getuid()}")
    assert isinstance(socket, Path)
    eventually(lambda: made["spiffe_id"] in dict(fetch_jwt(socket, audience)), 20)
    world.finial("entry", "delete", made["id"])


Sender = Callable[[Port], Awaitable[str]]


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    said = b""
    with contextlib.suppress(OSError):
        while more := await reader.read(65_536):
            said += more
    return said


async def nothing(target: Port) -> str:
    """Connect, and say nothing."""
    reader, writer = await target.connect()
    await to_the_end(reader)
    writer.close()
    return "ended"


async def half_a_greeting(target: Port) -> str:
    """Shake hands, and say a half of the first words."""
    reader, writer = await target.connect(greets=True)
    writer.write(PREFACE[:10])
    await to_the_end(reader)
    writer.close()
    return "ended"


async def half_a_message(target: Port) -> str:
    """Announce a message and send it a byte a second."""
    async with target.client() as client:
        stream = client.request(target.headers(), framed(b"", length=1000), end=False)

        async def dribble() -> None:
            while True:
                await asyncio.sleep(1)
                client.send(stream, b"\0")

        sending = asyncio.ensure_future(dribble())
        try:
            answer = await client.answer(stream)
        finally:
            sending.cancel()
        return "ended" if answer.status == TOO_LATE else f"answered {answer}"


async def half_a_head(target: Port) -> str:
    """Send the headers of a request a byte a second."""
    reader, writer = await target.connect(greets=True)
    ending = asyncio.ensure_future(to_the_end(reader))
    for byte in b"GET /v1/health/live HTTP/1.1\r\nX-Long: " + b"x" * 1000:
        if ending.done():
            break
        writer.write(bytes([byte]))
        await asyncio.wait({ending}, timeout=1)
    await ending
    writer.close()
    return "ended"


async def half_a_body(target: Port) -> str:
    """Send the body of a request a byte a second."""
    reader, writer = await target.connect(greets=True)
    writer.write(
        b"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n"
    )
    ending = asyncio.ensure_future(to_the_end(reader))
    while not ending.done():
        writer.write(b" ")
        await asyncio.wait({ending}, timeout=1)
    writer.close()
    said = await ending
    return "ended" if b" 408 " in said or b" 401 " in said else f"answered {said[:200]!r}"


def test_slow_senders(world: Up) -> None:
    """Half a greeting, header, message or body, sent a byte a second, ends after its time."""
    grpc_senders = (nothing, half_a_greeting, half_a_message)
    rest_senders = (nothing, half_a_head, half_a_body)
    cases: list[tuple[str, Sender]] = [(n, act) for n in GRPC_PORTS for act in grpc_senders]
    cases += [(n, act) for n in ("admin.sock", "REST port") for act in rest_senders]

    async def one(name: str, act: Sender) -> str:
        try:
            async with asyncio.timeout(60):
                return await act(port(world, name))
        except TimeoutError:
            return "never ended"

    async def scene() -> list[str]:
        return list(await asyncio.gather(*(one(*case) for case in cases for _ in range(5))))

    with unharmed(world, megabytes=20):
        ends = asyncio.run(scene())
    told = zip((case for case in cases for _ in range(5)), ends, strict=True)
    wrong = [(name, act.__name__, end) for (name, act), end in told if end != "ended"]
    assert wrong == []
