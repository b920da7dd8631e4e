"""Listens for administrators: on a Unix socket, and over HTTPS where that is configured."""

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from ca.api.rest.bounds import Application
from ca.api.rest.connection import Connection

BACKLOG: Final = 128
KEEP_ALIVE: Final = 30
TLS_SECONDS: Final = 10.0


class Listener:
    """The REST API's listeners; all of them share one application."""

    def __init__(self, application: Application) -> None:
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
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._sockets: list[Path] = []

    async def listen_unix(self, path: Path, mode: int = 0o600) -> None:
        """Listen on a socket that only those with `mode` may open; a stale one is replaced."""
        sock = _bound(path, mode)
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_unix_server(self._protocol, sock=sock, backlog=BACKLOG)
        )
        self._sockets.append(path)

    async def listen_tls(self, host: str, port: int, tls: ssl.SSLContext) -> tuple[str, int]:
        """Listen for HTTPS; return the address, whose port is chosen here if 0 was asked for."""
        server = await asyncio.get_running_loop().create_server(
            self._protocol,
            host,
            port,
            ssl=tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=TLS_SECONDS,
            ssl_shutdown_timeout=TLS_SECONDS,
        )
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def close(self, grace: float) -> None:
        """Stop listening, let running requests end within `grace` seconds, then cut them off."""
        for server in self._servers:
            server.close()
        _remove(self._sockets)
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=grace)
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def _protocol(self) -> Connection:
        return Connection(config=self._config, server_state=self._state, app_state={})


def _bound(path: Path, mode: int) -> socket.socket:
    with suppress(FileNotFoundError):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Nobody else may connect in the moment before chmod.
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(str(path))
        path.chmod(mode)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
