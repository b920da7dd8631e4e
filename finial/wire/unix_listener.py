"""Accepting connections on a Unix socket that has its path already."""

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any


async def serve_unix(
    protocol: Callable[[], asyncio.BaseProtocol], bound: socket.socket, backlog: int
) -> asyncio.Server:
    """Accept connections on a socket that has its path, and never remove the path."""
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"sock": bound, "backlog": backlog}
    if sys.version_info >= (3, 13):
        options["cleanup_socket"] = False
    return await loop.create_unix_server(protocol, **options)
