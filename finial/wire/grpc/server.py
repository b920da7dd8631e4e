"""A gRPC server: its listeners, its connections and what all of them together may take."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from finial.runtime.clock import Clock, SystemClock
from finial.wire.grpc.call import Call
from finial.wire.grpc.limits import Allowance, Limits
from finial.wire.grpc.service import Service, routing_table
from finial.wire.grpc.serving.server_connection import SHUTTING_DOWN, ServerConnection
from finial.wire.grpc.serving.share import Share
from finial.wire.grpc.serving.sweep import sweep
from finial.wire.grpc.serving.tls_listener import TlsListener
from finial.wire.http2.engine import EngineName, ErrorCode
from finial.wire.status import Code
from finial.wire.unix_listener import serve_unix
from finial.wire.unix_socket import BoundSocket, bind_unix

P = TypeVar("P")

_log = logging.getLogger("finial.wire")
_BACKLOG = 1024


def _nobody(_: Any) -> None:
    """Take no interest."""


def _everybody(_: Any) -> Hashable:
    return ""


class Server(Generic[P]):
    """Answers the services on as many sockets as it listens on.

    `identify` says who is at the other end (raises a Refusal to close the connection) and
    `release` takes that back, once, when the connection has ended. `guard` is asked at the first
    headers of each call; it raises a Refusal, and may return something to be awaited before the
    handler is run. `finished` is told of each call, its status and its seconds. Peers of one
    `connection_key` share what the `allowance` of each says, by default what the limits say.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        identify: Callable[[asyncio.BaseTransport], P],
        release: Callable[[P], None] = _nobody,
        guard: Callable[[Call[P]], Awaitable[None] | None] = _nobody,
        limits: Limits | None = None,
        finished: Callable[[Call[P], Code, float], None] | None = None,
        clock: Clock | None = None,
        connection_key: Callable[[P], Hashable] = _everybody,
        allowance: Callable[[P], Allowance] | None = None,
        engine: EngineName | None = None,
    ) -> None:
        self.routes = routing_table(services)
        self.identify = identify
        self.guard = guard
        self.limits = limits or Limits()
        self.clock: Clock = clock or SystemClock()
        self.engine = engine
        self.engine_settings = self.limits.engine_settings(is_client=False)
        self._release = release
        self._finished = finished
        self._connection_key = connection_key
        self._allowance = allowance or (lambda _: self.limits.allowance)
        self._shares: dict[Hashable, Share] = {}
        self._connections: set[ServerConnection[P]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[asyncio.Server | TlsListener] = []
        self._bound: list[BoundSocket] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._emptied: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def calls(self) -> int:
        """How many calls are open."""
        return sum(len(connection.calls) for connection in self._connections)

    async def listen_unix(self, path: str | Path, mode: int) -> None:
        """Listen on a Unix socket with exactly that mode; a dead socket in its place is removed.

        Raises: Refusal EXISTS when something listens there or the path is no socket, INVALID when
        the path is longer than the kernel takes.
        """
        bound = bind_unix(Path(path), mode)
        self._bound.append(bound)
        await self.listen_on(bound.socket)

    async def listen_on(self, bound: socket.socket) -> None:
        """Listen on a Unix socket that has its path; the path stays when the server is closed."""
        self._listeners.append(await serve_unix(self._make, bound, _BACKLOG))
        self._start_sweeping()

    async def listen_tcp(self, host: str, port: int, tls: ssl.SSLContext | None) -> tuple[str, int]:
        """Listen on a TCP address and return it, with the port that the system chose for 0."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        listening.setblocking(False)
        loop = asyncio.get_running_loop()
        if tls is None:
            self._listeners.append(await loop.create_server(self._make, sock=listening))
        else:
            self._listeners.append(TlsListener(listening, tls, self._make, self.limits, self.clock))
        self._start_sweeping()
        address = listening.getsockname()
        return str(address[0]), int(address[1])

    def close_connections(self, predicate: Callable[[P], bool]) -> None:
        """End at once every connection of the peers that the predicate names."""
        for connection in tuple(self._connections):
            if predicate(connection.peer):
                connection.end(ErrorCode.NO_ERROR)

    async def close(self, grace: float) -> None:
        """Stop listening, end streams with UNAVAILABLE, give unary calls so many seconds."""
        self._stop_listening()
        for connection in tuple(self._connections):
            connection.drain(ends_streams=True)
        if self._connections:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied], timeout=grace)
        for connection in tuple(self._connections):
            connection.end_calls(SHUTTING_DOWN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # noqa: TID251 - lets transports tell of their end

    def sweep(self, now: float) -> None:
        """Judge every connection by the clock; done by itself every `sweep_seconds`."""
        for connection in tuple(self._connections):
            sweep(connection, self.limits, now)

    def admit(self, connection: ServerConnection[P], peer: P) -> bool:
        """Count a connection and give it its share; whether there are not too many."""
        share = self._shares.setdefault(self._connection_key(peer), Share())
        share.connections += 1
        connection.share, connection.allowance = share, self._allowance(peer)
        self._connections.add(connection)
        in_all = len(self._connections) <= self.limits.max_connections
        return in_all and share.is_within(connection.allowance)

    def forget(self, connection: ServerConnection[P], peer: P) -> None:
        """Count a connection that has ended, and give its peer back."""
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)
        connection.share.connections -= 1
        if not connection.share.connections:
            del self._shares[self._connection_key(peer)]
        self._release(peer)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a handler that has to wait."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def call_finished(self, call: Call[P], code: Code) -> None:
        """Tell the observer of a call that has ended."""
        if self._finished is None:
            return
        try:
            self._finished(call, code, self.clock.monotonic() - call.started)
        except Exception:
            _log.exception("the observer of calls failed")

    def _make(self) -> ServerConnection[P]:
        return ServerConnection(self)

    def _start_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep_for_ever())

    async def _sweep_for_ever(self) -> None:
        while True:
            await self.clock.sleep(self.limits.sweep_seconds)
            try:
                self.sweep(self.clock.monotonic())
            except Exception:
                _log.exception("the sweep failed")

    def _stop_listening(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for bound in self._bound:
            bound.remove()
        self._bound.clear()
