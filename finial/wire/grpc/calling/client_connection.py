"""One connection at a client: its exchanges, and what the server says about all of them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.calling.exchange import LOST, Exchange
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.protocol.framing import frame
from finial.wire.grpc.protocol.metadata import CONTENT_TYPE, parse_status
from finial.wire.http2.connection import Http2Connection
from finial.wire.http2.engine import EngineName, ErrorCode, Headers, StreamGone
from finial.wire.status import Code, Status, refusal_of, status_of

_OF_HTTP: Final = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}


class ClientConnection(Http2Connection):
    """The client's side of one connection; `ready` is done with the server's SETTINGS."""

    __slots__ = ("_limits", "_waiting_for_room", "exchanges", "is_leaving", "lost", "ready")

    def __init__(self, engine: EngineName | None, limits: Limits) -> None:
        super().__init__(engine, limits.engine_settings(is_client=True))
        self._limits = limits
        self._waiting_for_room: list[Exchange] = []
        self.exchanges: dict[int, Exchange] = {}
        self.is_leaving = False
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_usable(self) -> bool:
        """Whether new calls may be begun."""
        return not self.is_leaving and not self.is_closing

    def connection_lost(self, exc: Exception | None) -> None:
        """End every exchange."""
        super().connection_lost(exc)
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError("the server closed it"))
            self.ready.exception()
        for exchange in tuple(self.exchanges.values()):
            self._finish(exchange, LOST)
        if not self.lost.done():
            self.lost.set_result(None)

    def open(self, headers: Headers) -> Exchange:
        """Begin a call. Raises: Refusal UNAVAILABLE."""
        try:
            stream_id = self._engine.request(headers)
        except StreamGone as gone:
            raise Refusal(Kind.UNAVAILABLE, f"no call can be begun: {gone}") from gone
        exchange = self.exchanges[stream_id] = Exchange(self, stream_id, self._limits.max_message)
        self.schedule_flush()
        return exchange

    def send_message(self, exchange: Exchange, payload: bytes, *, ended: bool = False) -> None:
        """Queue a message. Raises: Refusal."""
        try:
            self._engine.send(exchange.stream_id, frame(payload), ended)
        except StreamGone as gone:
            raise refusal_of(exchange.status or LOST) from gone
        exchange.is_half_closed = ended
        self.schedule_flush()

    def half_close(self, exchange: Exchange) -> None:
        """Say that no more messages follow."""
        if exchange.is_half_closed or exchange.status is not None:
            return
        exchange.is_half_closed = True
        try:
            self._engine.end(exchange.stream_id)
        except StreamGone:
            return
        self.schedule_flush()

    def cancel(self, exchange: Exchange) -> None:
        """Reset the stream of a call in whose end nobody is interested any more."""
        if self.exchanges.pop(exchange.stream_id, None) is not None:
            exchange.end(Status(Code.CANCELLED, "the call was cancelled"))
            if exchange.unread:
                self.read(exchange)
            self._engine.reset(exchange.stream_id, ErrorCode.CANCEL)
            self.schedule_flush()

    def is_full(self, exchange: Exchange) -> bool:
        """Whether more is queued on that call than its server has read in time."""
        queued = self._engine.queued(exchange.stream_id)
        return self._writing_is_paused or queued > self._limits.send_buffer

    async def room_for(self, exchange: Exchange) -> None:
        """Wait until something was written."""
        exchange.room = self._loop.create_future()
        self._waiting_for_room.append(exchange)
        try:
            await exchange.room
        finally:
            exchange.room = None

    def read(self, exchange: Exchange) -> None:
        """Give back the window of messages that were taken."""
        unread, exchange.unread = exchange.unread, 0
        self._engine.consumed(exchange.stream_id, unread)
        self.schedule_flush()

    def flushed(self) -> bool:
        """Wake senders that wait for room."""
        if self._waiting_for_room and not self._writing_is_paused:
            waiting, self._waiting_for_room = self._waiting_for_room, []
            for exchange in waiting:
                if exchange.room is None or exchange.room.done():
                    continue
                if self.is_full(exchange):
                    self._waiting_for_room.append(exchange)
                else:
                    exchange.room.set_result(None)
        return False

    def headers_received(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """Judge the head of a response, which may be its end as well."""
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            return
        fields = dict(headers)
        exchange.http_status = int(fields.get(b":status", b"0"))
        content_type = fields.get(b"content-type", b"")
        if ended:
            self._end_with(exchange, headers)
        elif exchange.http_status != 200 or not content_type.startswith(CONTENT_TYPE):
            exchange.end(_status_of_http(exchange.http_status, content_type))
            self.cancel(exchange)
        elif fields.get(b"grpc-encoding", b"identity") != b"identity":
            exchange.end(Status(Code.INTERNAL, "the server compresses what we cannot read"))
            self.cancel(exchange)

    def body_received(self, stream_id: int, body: bytes, ended: bool) -> None:
        """Assemble the messages of a response."""
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            self._engine.consumed(stream_id, len(body))
            return
        try:
            exchange.received.extend(exchange.assembler.feed(body))
        except Refusal as refusal:
            self._engine.consumed(stream_id, len(body))
            exchange.end(status_of(refusal))
            self.cancel(exchange)
            return
        if exchange.received:
            exchange.unread += len(body)
            exchange.wake()
        else:
            self._engine.consumed(stream_id, len(body))
        if ended:
            self._end_with(exchange, ())

    def trailers_received(self, stream_id: int, headers: Headers) -> None:
        """Read how the call ended."""
        exchange = self.exchanges.get(stream_id)
        if exchange is not None:
            self._end_with(exchange, headers)

    def stream_ended(self, stream_id: int, error_code: int) -> None:
        """End an exchange that the server has reset."""
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            return
        exchange.was_not_seen = error_code == ErrorCode.REFUSED_STREAM
        self._finish(exchange, _status_of_reset(error_code))

    def settings_received(self, max_streams: int | None) -> None:
        """Take the server's SETTINGS for its consent."""
        if not self.ready.done():
            self.ready.set_result(None)

    def going_away(self, last_stream_id: int, error_code: int) -> None:
        """Begin no more calls here; those that the server has not seen may be begun again."""
        self.is_leaving = True
        for exchange in tuple(self.exchanges.values()):
            if exchange.stream_id > last_stream_id:
                exchange.was_not_seen = True
                self._finish(exchange, LOST)
        if not self.exchanges:
            self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        if not self.exchanges and not self._closing:
            self.flush()
            self.end(ErrorCode.NO_ERROR)

    def _end_with(self, exchange: Exchange, headers: Sequence[tuple[bytes, bytes]]) -> None:
        status = parse_status(headers)
        if status is None:
            status = _status_of_http(exchange.http_status, b"")
        elif status.code is Code.OK and exchange.assembler.is_amid:
            status = Status(Code.INTERNAL, "the response ended amid a message")
        if not exchange.is_half_closed:
            self._engine.reset(exchange.stream_id, ErrorCode.NO_ERROR)
        self._finish(exchange, status)

    def _finish(self, exchange: Exchange, status: Status) -> None:
        self.exchanges.pop(exchange.stream_id, None)
        if exchange.unread:
            self.read(exchange)  # else the connection's window would shrink with each call
        exchange.end(status)
        if self.is_leaving and not self.exchanges and not self._closing:
            self._loop.call_soon(self._leave)


def _status_of_http(status: int, content_type: bytes) -> Status:
    """Name the code that gRPC gives to answers that are not its own."""
    if status == 200:
        shown = content_type.decode("latin-1")
        return Status(Code.UNKNOWN, f"the answer is not gRPC's: content-type {shown!r}")
    return Status(_OF_HTTP.get(status, Code.UNKNOWN), f"the server answered HTTP status {status}")


def _status_of_reset(error_code: int) -> Status:
    match error_code:
        case ErrorCode.REFUSED_STREAM:
            return Status(Code.UNAVAILABLE, "the server refused the stream")
        case ErrorCode.CANCEL:
            return Status(Code.CANCELLED, "the server cancelled the stream")
        case ErrorCode.ENHANCE_YOUR_CALM:
            return Status(Code.RESOURCE_EXHAUSTED, "the server asks for calm")
        case _:
            return Status(Code.INTERNAL, f"the server reset the stream with code {error_code}")
