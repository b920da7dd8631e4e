"""What a socket has to be that somebody else has opened for us."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.unix_listener import serve_unix
from finial.wire.unix_socket import bind_unix, judge_listening


def listening(path: Path) -> socket.socket:
    bound = bind_unix(path, 0o600).socket
    bound.listen(1)
    return bound


def stranger(_: Path) -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def datagrams(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(str(path))
    return bound


def idle(path: Path) -> socket.socket:
    return bind_unix(path, 0o600).socket


def elsewhere(path: Path) -> socket.socket:
    return listening(path.with_name("elsewhere"))


def nameless(_: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind("")  # the kernel chooses an abstract name
    bound.listen(1)
    return bound


def without_path(path: Path) -> socket.socket:
    bound = listening(path)
    path.unlink()
    return bound


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (stranger, "is no Unix stream socket"),
        (datagrams, "is no Unix stream socket"),
        (idle, "does not listen"),
        (elsewhere, "and the settings say"),
        (nameless, "and the settings say"),
        (without_path, "has lost its path"),
    ],
)
def test_another_socket_is_refused(
    tmp_path: Path, made: Callable[[Path], socket.socket], fault: str
) -> None:
    """Only a Unix stream socket that listens on the very path of the settings is taken."""
    path = tmp_path / "s"
    with made(path) as passed, pytest.raises(Refusal, match=fault) as raised:
        judge_listening(passed, "workload", path)
    assert raised.value.kind is Kind.INVALID
    assert "'workload'" in str(raised.value)


def test_a_passed_socket_keeps_its_path(tmp_path: Path) -> None:
    """Who connects before we serve is served, and the path is there after the end."""
    path = tmp_path / "s"
    with listening(path) as kept, socket.socket(socket.AF_UNIX) as early:
        early.connect(str(path))
        judge_listening(kept, "workload", path)

        async def act() -> None:
            met = asyncio.Event()

            class Greeting(asyncio.Protocol):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    transport.close()
                    met.set()

            server = await serve_unix(Greeting, kept.dup(), 16)
            await asyncio.wait_for(met.wait(), 5)
            server.close()

        asyncio.run(act())
        assert early.recv(1) == b""
        assert path.is_socket()
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(str(path))
