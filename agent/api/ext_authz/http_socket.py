"""The socket of the HTTP form, where the operator wants one."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.api.ext_authz.deciding import Deciding
from agent.api.ext_authz.http_form import HttpForm
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.unix_listener import serve_unix
from finial.wire.unix_socket import BoundSocket, bind_unix

MODE: Final = 0o777
MOST_CONNECTIONS: Final = 4096
BACKLOG: Final = 1024


class HttpSocket:
    """Listens for proxies; each uid may have so many connections."""

    def __init__(
        self,
        path: Path,
        deciding: Deciding,
        identify: Callable[[asyncio.BaseTransport], KernelPeer],
        per_uid: int,
    ) -> None:
        self._path = path
        self._deciding = deciding
        self._identify = identify
        self._per_uid = per_uid
        self._open: set[HttpForm] = set()
        self._of_uid: Counter[int] = Counter()
        self._bound: BoundSocket | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, passed: socket.socket | None = None) -> None:
        """Open the socket, or take the one that was passed to us; its path stays at the end.

        Raises: Refusal of kind EXISTS (another agent), INVALID (a path too long); OSError.
        """
        if passed is None:
            self._bound = bind_unix(self._path, MODE)
            passed = self._bound.socket
        self._server = await serve_unix(self._connection, passed, BACKLOG)

    async def close(self) -> None:
        """Close the socket and what is open on it."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._bound is not None:
            self._bound.remove()
            self._bound = None
        for each in tuple(self._open):
            each.close()

    def _connection(self) -> HttpForm:
        made = HttpForm(self._deciding, self._admit, self._ended)
        self._open.add(made)
        return made

    def _admit(self, transport: asyncio.BaseTransport) -> KernelPeer:
        if len(self._open) > MOST_CONNECTIONS:
            raise Refusal(Kind.EXHAUSTED, f"there are {MOST_CONNECTIONS} connections already")
        peer = self._identify(transport)
        if self._of_uid[peer.uid] >= self._per_uid:
            peer.close()
            raise Refusal(Kind.EXHAUSTED, f"uid {peer.uid} has too many connections")
        self._of_uid[peer.uid] += 1
        return peer

    def _ended(self, connection: HttpForm) -> None:
        self._open.discard(connection)
        peer = connection.peer
        if peer is None:
            return
        self._deciding.proxies.forget(peer)
        self._of_uid[peer.uid] -= 1
        if not self._of_uid[peer.uid]:
            del self._of_uid[peer.uid]
        peer.close()
