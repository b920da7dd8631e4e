"""One HTTP connection: who is at its other end, and how much it may ask for.

uvicorn's protocol knows neither the kernel's credentials nor a limit on headers; this subclass adds
both. What it found about the caller stands in the request's state under `peer`.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from finial.runtime.peer import credentials
from finial.wire.network import network_of

MAX_HEADER_BYTES: Final = 64 * 1024
HEADER_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 512
MAX_CONNECTIONS_PER_ADDRESS: Final = 64


@dataclass(frozen=True, slots=True)
class LocalPeer:
    """A process of this machine, as the kernel saw it connect."""

    pid: int
    uid: int
    gid: int

    @property
    def network(self) -> str:
        """Processes of this machine are not counted by address."""
        return ""


@dataclass(frozen=True, slots=True)
class RemotePeer:
    """Somebody who came over HTTPS; `address` is where from, as `host:port`."""

    address: str

    @property
    def network(self) -> str:
        """Whom limits count the caller for."""
        return network_of(self.address.rpartition(":")[0].strip("[]"))


Peer = LocalPeer | RemotePeer


class Connection(HttpToolsProtocol):
    """A connection that knows its peer and bounds its headers in size and time."""

    network = ""
    _awaited: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _parsed_bytes = 0
    _in_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look who is there; too many connections at once are closed unheard."""
        peer = peer_of(transport)
        self.network = peer.network
        if len(self.connections) >= MAX_CONNECTIONS or self._is_crowd():
            transport.abort()
            return
        self.app_state = {**self.app_state, "peer": peer}
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._headers_came()
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers; the application counts the body."""
        if self.transport is None or self.transport.is_closing():
            return
        if not self._in_headers and (self.cycle is None or self.cycle.response_complete):
            self._await_headers()
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self.send_400_response("The request's headers are longer than 64 KiB.")

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._parsed_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, also one that came in one piece with the end of the headers."""
        self._parsed_bytes += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer; what is raised here is answered with 400."""
        self._headers_came()
        if self._parsed_bytes > MAX_HEADER_BYTES:
            raise ValueError("the request's headers are longer than 64 KiB")
        super().on_headers_complete()

    def _is_crowd(self) -> bool:
        """Whether the caller's address has its share of the connections already."""
        if not self.network:
            return False
        same = [each for each in self.connections if getattr(each, "network", "") == self.network]
        return len(same) >= MAX_CONNECTIONS_PER_ADDRESS

    def _await_headers(self) -> None:
        self._headers_came()
        self._in_headers = True
        self._awaited = self.loop.call_later(HEADER_SECONDS, self.timeout_keep_alive_handler)

    def _headers_came(self) -> None:
        self._in_headers = False
        self._header_bytes = 0
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Ask the kernel who connected to a Unix socket, or tell the address of who came by TCP."""
    sock: Any = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        pid, uid, gid = credentials(sock)
        return LocalPeer(pid, uid, gid)
    host, port, *_ = transport.get_extra_info("peername") or ("unknown", 0)
    return RemotePeer(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
