"""Listens for administrators: on a Unix socket, and over HTTPS where that is configured."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from ca.api.rest.bounds import Application
from ca.api.rest.connection import Connection
from finial.runtime.clock import Clock
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.serving.tls_listener import TlsListener
from finial.wire.unix_socket import BoundSocket, bind_unix

BACKLOG: Final = 128
KEEP_ALIVE: Final = 30
_LIMITS: Final = Limits()


class Listener:
    """The REST API's listeners; they share an application, but not the room for connections.

    Whoever fills the room on the network leaves the local socket's to root.
    """

    def __init__(self, application: Application, clock: Clock) -> None:
        self._clock = clock
        # That somebody sent nonsense is told to them, and would let anybody fill the log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._config = Config(
            application,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._config.load()
        self._local, self._remote = ServerState(), ServerState()
        self._servers: list[asyncio.Server | TlsListener] = []
        self._bound: list[BoundSocket] = []

    async def listen_unix(self, path: Path, mode: int = 0o600) -> None:
        """Listen on a socket that only those with `mode` may open; a dead one is replaced.

        Raises: Refusal of kind EXISTS (something listens there, or it is no socket), INVALID.
        """
        bound = bind_unix(path, mode)
        self._bound.append(bound)
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_unix_server(
                partial(self._protocol, self._local), sock=bound.socket, backlog=BACKLOG
            )
        )

    async def listen_tls(self, host: str, port: int, tls: ssl.SSLContext) -> tuple[str, int]:
        """Listen for HTTPS; return the address, whose port is chosen here if 0 was asked for."""
        sock = await _listening(host, port)
        make = partial(self._protocol, self._remote)
        self._servers.append(TlsListener(sock, tls, make, _LIMITS, self._clock))
        name = sock.getsockname()
        return str(name[0]), int(name[1])

    async def close(self, grace: float) -> None:
        """Stop listening, let running requests end within `grace` seconds, then cut them off."""
        for server in self._servers:
            server.close()
        for bound in self._bound:
            bound.remove()
        states = (self._local, self._remote)
        for connection in _connections(states):
            connection.shutdown()
        tasks = set().union(*(state.tasks for state in states))
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        for connection in _connections(states):
            connection.transport.abort()

    def _protocol(self, state: ServerState) -> Connection:
        return Connection(config=self._config, server_state=state, app_state={})


def _connections(states: Iterable[ServerState]) -> list[Connection]:
    found = (each for state in states for each in state.connections)
    return [each for each in found if isinstance(each, Connection)]


async def _listening(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    [(family, kind, protocol, _, address), *_] = await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
