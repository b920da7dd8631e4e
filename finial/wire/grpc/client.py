"""A gRPC client: one channel to one address, connected when it is needed."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.message import DecodeError, Message

from finial.runtime.clock import Clock, SystemClock
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.calling.client_connection import ClientConnection
from finial.wire.grpc.calling.exchange import Exchange
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.method import Method
from finial.wire.grpc.protocol.metadata import Metadata, encode_metadata, render_timeout
from finial.wire.http2.engine import EngineName, ErrorCode
from finial.wire.status import Code, refusal_of

_log = logging.getLogger("finial.wire")
_ATTEMPTS: Final = 3
# gRPC servers in Go count pings more often than every five minutes as abuse.
CHANNEL_LIMITS: Final = Limits(ping_after=330.0)


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host, by name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Channel:
    """Calls the services at one address, over one connection that is renewed when it is lost.

    `tls` gives the context of each new connection, None is clear text; `judge` looks at the
    server's certificate after the handshake and raises a Refusal to have nothing to do with it.
    """

    def __init__(
        self,
        address: UnixAddress | TcpAddress,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        judge: Callable[[ssl.SSLObject], None] | None = None,
        limits: Limits = CHANNEL_LIMITS,
        clock: Clock | None = None,
        engine: EngineName | None = None,
    ) -> None:
        self.address = address
        self._tls = tls
        self._judge = judge
        self._limits = limits
        self._clock: Clock = clock or SystemClock()
        self._engine = engine
        self._connection: ClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._keepers: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open that takes new calls."""
        return self._connection is not None and self._connection.is_usable

    async def unary(
        self, method: Method, request: Message, *, timeout: float, metadata: Metadata = ()
    ) -> Any:
        """Call an RPC that takes one message and gives one.

        `timeout` in seconds holds for everything, connecting included. A call that the server
        has not seen is begun again. Raises: Refusal with the server's kind and reason,
        UNAVAILABLE, or TIMEOUT.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._unary(method, request, timeout, metadata)
        except TimeoutError:
            raise self._too_late(method, timeout) from None

    def stream(
        self, method: Method, *, metadata: Metadata = (), timeout: float | None = None
    ) -> "Stream":
        """Prepare a call of any shape; it begins when the stream is entered."""
        return Stream(self, method, metadata, timeout)

    async def close(self) -> None:
        """End the connection and every call on it, and connect no more."""
        self._is_closed = True
        if self._connection is not None:
            self.disconnect()
        for keeper in tuple(self._keepers):
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def disconnect(self) -> None:
        """End the connection, so that the next call makes a new one, with what TLS gives then."""
        if self._connection is not None:
            self._connection.end(ErrorCode.NO_ERROR)
            self._connection = None

    def retire(self) -> None:
        """Let open calls finish on the connection there is; new calls make a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.going_away(2**31 - 1, ErrorCode.NO_ERROR)

    async def begin(self, method: Method, metadata: Metadata, timeout: float | None) -> Exchange:
        """Open a stream, connecting first where needed. Raises: Refusal UNAVAILABLE."""
        headers = self._headers(method, metadata, timeout)
        connection = await self._connected()
        return connection.open(headers)

    def _too_late(self, method: Method, timeout: float) -> Refusal:
        return Refusal(
            Kind.TIMEOUT, f"{self.address} did not answer {method.path} within {timeout:g} s"
        )

    async def _unary(
        self, method: Method, request: Message, timeout: float, metadata: Metadata
    ) -> Any:
        payload = request.SerializeToString()
        for _ in range(_ATTEMPTS):
            headers = self._headers(method, metadata, timeout)
            connection = await self._connected()
            exchange = connection.open(headers)
            try:
                connection.send_message(exchange, payload, ended=True)
                status = await exchange.outcome()
            finally:
                connection.cancel(exchange)
            if not exchange.was_not_seen:
                break
        if status.code is not Code.OK:
            raise refusal_of(status)
        if len(exchange.received) != 1:
            raise Refusal(Kind.UNIMPLEMENTED, f"{method.path} did not answer with one message")
        return parse_response(method, exchange.received[0])

    def _headers(
        self, method: Method, metadata: Metadata, timeout: float | None
    ) -> list[tuple[bytes, bytes]]:
        authority = b"localhost" if isinstance(self.address, UnixAddress) else str(self.address)
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http" if self._tls is None else b"https"),
            (b":path", method.path_bytes),
            (b":authority", authority if isinstance(authority, bytes) else authority.encode()),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"finial"),
        ]
        if timeout is not None:
            headers.append((b"grpc-timeout", render_timeout(timeout)))
        return headers + encode_metadata(metadata)

    async def _connected(self) -> ClientConnection:
        connection = self._connection
        if connection is not None and connection.is_usable:
            return connection
        async with self._connecting:
            if self._connection is not None and self._connection.is_usable:
                return self._connection
            self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> ClientConnection:
        if self._is_closed:
            raise Refusal(Kind.UNAVAILABLE, f"the channel to {self.address} is closed")
        connection: ClientConnection | None = None
        try:
            async with asyncio.timeout(self._limits.handshake_seconds):
                connection = await self._open_transport()
                self._judge_server(connection)
                await connection.ready
        except BaseException as failure:
            if connection is not None:
                connection.abort()
            if isinstance(failure, OSError | TimeoutError | ssl.SSLError):
                raise self._unreachable(failure) from failure
            raise
        keeper = asyncio.get_running_loop().create_task(self._keep_alive(connection))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)
        return connection

    async def _open_transport(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        context = None if self._tls is None else self._tls()

        def make() -> ClientConnection:
            return ClientConnection(self._engine, self._limits)

        match self.address:
            case UnixAddress(path):
                name = None if context is None else "localhost"
                _, connection = await loop.create_unix_connection(
                    make, str(path), ssl=context, server_hostname=name
                )
            case TcpAddress(host, port):
                _, connection = await loop.create_connection(make, host, port, ssl=context)
        return connection

    def _judge_server(self, connection: ClientConnection) -> None:
        transport = connection.transport
        if self._judge is None or transport is None:
            return
        session = transport.get_extra_info("ssl_object")
        if session is not None:
            self._judge(session)

    def _unreachable(self, failure: BaseException) -> Refusal:
        if isinstance(failure, ssl.SSLCertVerificationError):
            return Refusal(
                Kind.UNAUTHENTICATED,
                f"whoever answers at {self.address} is not vouched for by the bundle: "
                f"{failure.verify_message}",
            )
        why = str(failure) or type(failure).__name__
        if isinstance(failure, TimeoutError):
            why = f"no answer within {self._limits.handshake_seconds:g} s"
        return Refusal(Kind.UNAVAILABLE, f"cannot reach {self.address}: {why}")

    async def _keep_alive(self, connection: ClientConnection) -> None:
        """Ask a silent server for a sign of life while calls wait for it."""
        silent_since = self._clock.monotonic()
        while not connection.is_closing:
            await self._clock.sleep(self._limits.sweep_seconds)
            now = self._clock.monotonic()
            if connection.heard or not connection.exchanges:
                connection.heard, silent_since = False, now
            silence = now - silent_since
            if connection.awaits_ping and silence > self._limits.ping_after + (
                self._limits.ping_seconds
            ):
                _log.warning("%s is silent; its connection is given up", self.address)
                connection.abort()
            elif silence >= self._limits.ping_after and not connection.awaits_ping:
                connection.awaits_ping = True
                connection.engine.ping()
                connection.flush()


class Stream:
    """A call with a stream on either side; leaving it before its end cancels it."""

    __slots__ = ("_channel", "_exchange", "_metadata", "_method", "_timeout", "_timer")

    def __init__(
        self, channel: Channel, method: Method, metadata: Metadata, timeout: float | None
    ) -> None:
        self._channel = channel
        self._method = method
        self._metadata = metadata
        self._timeout = timeout
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._exchange = await self._channel.begin(self._method, self._metadata, self._timeout)
        if self._timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._timeout, self._expire)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._open.abandon()

    async def send(self, message: Message) -> None:
        """Send a message, waiting while the server does not read. Raises: Refusal."""
        await self._open.send(message.SerializeToString())

    async def end(self) -> None:
        """Say that no more messages follow."""
        self._open.half_close()

    async def receive(self) -> Any:
        """Return the next message, None after the last one. Raises: Refusal."""
        payload = await self._open.receive()
        return None if payload is None else parse_response(self._method, payload)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.receive()) is not None:
            yield message

    @property
    def _open(self) -> Exchange:
        assert self._exchange is not None, "the stream was not entered"
        return self._exchange

    def _expire(self) -> None:
        self._open.expire()


def parse_response(method: Method, payload: bytes) -> Message:
    """Parse an answer. Raises: Refusal INTERNAL."""
    with contextlib.suppress(DecodeError):
        return method.response.FromString(payload)
    name = method.response.DESCRIPTOR.full_name
    raise Refusal(Kind.INTERNAL, f"the answer to {method.path} is no {name}")
