"""One connection at a server: its calls from the first header to the last trailer.

A call's life: its headers are judged and the guard is asked; messages are assembled; a handler
that takes one message is run when the request has ended, one that takes a stream at once. A plain
function that answers a unary call is run in place, without a task. A call ends once: by its
handler, a refusal, the client's reset, its deadline, or the end of the connection.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.limits import Allowance
from finial.wire.grpc.protocol.framing import frame
from finial.wire.grpc.protocol.metadata import status_headers
from finial.wire.grpc.protocol.request_head import RequestHead, Unacceptable
from finial.wire.grpc.serving.handling import ask_guard, run_one, run_stream
from finial.wire.grpc.serving.share import Share
from finial.wire.http2.connection import Http2Connection
from finial.wire.http2.engine import ErrorCode, Headers, StreamGone
from finial.wire.status import INTERNAL, OK, Code, Status, status_of

if TYPE_CHECKING:
    from finial.wire.grpc.server import Server

P = TypeVar("P")

_log = logging.getLogger("finial.wire")
_HEAD: Final = [
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity"),
]
_OK_TRAILERS: Final = status_headers(OK)
SHUTTING_DOWN: Final = Status(Code.UNAVAILABLE, "the server is shutting down")
_PLAIN_TEXT: Final = (b"content-type", b"text/plain")
_NOT_GRPC: Final = b"this is a gRPC server\n"
_ONE_MESSAGE: Final = Status(Code.UNIMPLEMENTED, "the method takes exactly one message")
_TOO_MUCH: Final = Status(
    Code.RESOURCE_EXHAUSTED, "too many bytes of unread requests of one peer are waiting"
)
_TOO_LATE: Final = Status(Code.DEADLINE_EXCEEDED, "the deadline has passed")


class ServerConnection(Http2Connection, Generic[P]):
    """The server's side of one connection; `peer` is known from `connection_made` on."""

    __slots__ = (
        "_is_draining",
        "_is_known",
        "_server",
        "_to_reset",
        "_waiting_for_room",
        "allowance",
        "calls",
        "has_greeted",
        "heard_at",
        "idle_since",
        "made_at",
        "paused_since",
        "peer",
        "pinged_at",
        "share",
    )

    def __init__(self, server: "Server[P]") -> None:
        super().__init__(server.engine, server.engine_settings)
        self._server = server
        self._is_known = False
        self._is_draining = False
        self._to_reset: list[int] = []
        self._waiting_for_room: list[Call[P]] = []
        self.peer: P
        self.share: Share
        self.allowance: Allowance
        self.calls: dict[int, Call[P]] = {}
        self.has_greeted = False
        self.made_at = self.heard_at = self.idle_since = server.clock.monotonic()
        self.paused_since: float | None = None
        self.pinged_at = 0.0

    @property
    def server(self) -> "Server[P]":
        """The server that this connection belongs to."""
        return self._server

    @property
    def is_draining(self) -> bool:
        """Whether no new calls are taken."""
        return self._is_draining

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask who is calling before anything is read."""
        super().connection_made(transport)
        try:
            self.peer = self._server.identify(transport)
        except Refusal as refusal:
            _log.info("connection refused: %s", refusal)
            self.abort()
            return
        except Exception:
            _log.exception("a peer could not be identified")
            self.abort()
            return
        self._is_known = True
        if not self._server.admit(self, self.peer):
            _log.warning("connection refused: too many connections of one peer or in all")
            self.end(ErrorCode.ENHANCE_YOUR_CALM)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel every handler and give the peer back, once."""
        super().connection_lost(exc)
        for call in tuple(self.calls.values()):
            self._end_by_peer(call)
        if self._is_known:
            self._is_known = False
            self._server.forget(self, self.peer)

    def can_wait(self) -> bool:
        """Whether there are calls, and all of each request is here."""
        return bool(self.calls) and all(call.is_half_closed for call in self.calls.values())

    def headers_received(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """Begin a call, or refuse it."""
        if self._is_draining:
            self._engine.reset(stream_id, ErrorCode.REFUSED_STREAM)
            return
        server = self._server
        try:
            head = RequestHead.parse(headers, server.routes)
        except Unacceptable as refused:
            status = (b":status", refused.http_status)
            self._respond_at_once(stream_id, [status, _PLAIN_TEXT], _NOT_GRPC, ended)
            return
        except Refusal as refusal:
            headers = [*_HEAD, *status_headers(status_of(refusal))]
            self._respond_at_once(stream_id, headers, b"", ended)
            return
        call = Call(self, stream_id, head, server.clock.monotonic())
        self.calls[stream_id] = call
        if ask_guard(self, call):
            if not head.route.takes_one:
                call.received = deque()
                run_stream(self, call)
            if ended:
                self._half_close(call)

    def body_received(self, stream_id: int, body: bytes, ended: bool) -> None:
        """Assemble the messages of a request."""
        call = self.calls.get(stream_id)
        if call is None:
            self._engine.consumed(stream_id, len(body))
            return
        if body:
            self._assemble(call, body)
        if ended:
            self._half_close(call)

    def trailers_received(self, stream_id: int, headers: Headers) -> None:
        """Take the trailers of a request for its end; gRPC gives them no meaning."""
        call = self.calls.get(stream_id)
        if call is not None:
            self._half_close(call)

    def stream_ended(self, stream_id: int, error_code: int) -> None:
        """Cancel the handler of a call that its client has reset."""
        call = self.calls.get(stream_id)
        if call is not None:
            self._end_by_peer(call)

    def settings_received(self, max_streams: int | None) -> None:
        """Take the first SETTINGS for the end of the greeting."""
        self.has_greeted = True

    def going_away(self, last_stream_id: int, error_code: int) -> None:
        """Let the open calls end; the client opens no more."""

    def send_message(self, call: Call[P], payload: bytes) -> None:
        """Queue a message. Raises: Refusal CANCELLED."""
        if call.has_ended:
            raise Refusal(Kind.CANCELLED, "the call has ended")
        try:
            if not call.has_responded:
                call.has_responded = True
                self._engine.respond(call.stream_id, _HEAD, False)
            self._engine.send(call.stream_id, frame(payload), False)
        except StreamGone as gone:
            raise Refusal(Kind.CANCELLED, "the call has ended") from gone
        self.schedule_flush()

    def is_full(self, call: Call[P]) -> bool:
        """Whether more is queued on that call than its client has read in time."""
        if call.has_ended:
            return False
        return self._engine.queued(call.stream_id) > self._server.limits.send_buffer or (
            self._writing_is_paused
        )

    async def room_for(self, call: Call[P]) -> None:
        """Wait until something was written."""
        call.room = self._loop.create_future()
        self._waiting_for_room.append(call)
        try:
            await call.room
        finally:
            call.room = None

    def read(self, call: Call[P]) -> None:
        """Give back the window of messages that the handler has taken."""
        unread, call.unread = call.unread, 0
        self._engine.consumed(call.stream_id, unread)
        self.schedule_flush()

    def release(self, call: Call[P], amount: int) -> None:
        """Hold so many bytes of a call no longer, because its handler has read them."""
        if not call.has_ended:
            call.held -= amount
            self.share.held -= amount

    def flushed(self) -> bool:
        """Wake senders that wait for room, and end what clients left open."""
        if self._waiting_for_room and not self._writing_is_paused:
            waiting, self._waiting_for_room = self._waiting_for_room, []
            for call in waiting:
                if call.room is None or call.room.done():
                    continue
                if self.is_full(call):
                    self._waiting_for_room.append(call)
                else:
                    call.room.set_result(None)
        if self._to_reset and self._reset_ended():
            return True
        if self._is_draining and not self.calls:
            self._end_drained()
        return False

    def _end_drained(self) -> None:
        """End the connection once the last answer has left."""
        if not self._writing_is_paused and not self._engine.unsent and not self._to_reset:
            self.end(ErrorCode.NO_ERROR)

    def drain(self, *, ends_streams: bool) -> None:
        """Take no new calls, let unary calls finish, and streams or end them with UNAVAILABLE."""
        self._is_draining = True
        self._engine.go_away()
        for call in tuple(self.calls.values()) if ends_streams else ():
            if not call.route.gives_one or call.task is None:
                self.finish(call, SHUTTING_DOWN)
        self.flush()

    def end_calls(self, status: Status) -> None:
        """End every call with that status, then the connection."""
        for call in tuple(self.calls.values()):
            self.finish(call, status)
        self.flush()
        self.end(ErrorCode.NO_ERROR)

    def finish(self, call: Call[P], status: Status) -> None:
        """End a call with a status; its handler, if it still runs, is cancelled."""
        if call.has_ended:
            return
        trailers = _OK_TRAILERS if status is OK else status_headers(status)
        try:
            if call.has_responded:
                self._engine.send_trailers(call.stream_id, trailers)
            else:
                self._engine.respond(call.stream_id, [*_HEAD, *trailers], True)
        except StreamGone:
            _log.debug("the client was gone before the end of %s", call.method)
        if not call.is_half_closed:
            self._to_reset.append(call.stream_id)
        self._forget(call, status.code)
        self.schedule_flush()

    def start(self, call: Call[P], work: Coroutine[Any, Any, None]) -> None:
        """Give a call its task, and its deadline a timer."""
        call.task = self._server.spawn(work)
        if call.deadline is not None:
            left = call.deadline - self._server.clock.monotonic()
            call.timer = self._loop.call_later(max(left, 0.0), self.expire, call)

    def answer(self, call: Call[P], answer: Message | bytes) -> None:
        """Send the only message of a response and end the call."""
        if not call.has_ended:
            payload = answer if isinstance(answer, bytes) else answer.SerializeToString()
            self.send_message(call, payload)
            self.finish(call, OK)

    def fail(self, call: Call[P]) -> None:
        """Log a bug of ours whole, and tell the client nothing of it."""
        _log.exception("the call %s failed", call.method)
        self.finish(call, INTERNAL)

    def expire(self, call: Call[P]) -> None:
        """End a call whose deadline has passed."""
        self.finish(call, _TOO_LATE)

    def _assemble(self, call: Call[P], body: bytes) -> None:
        if call.assembler is None:
            self._engine.consumed(call.stream_id, len(body))
            return
        call.held += len(body)
        self.share.held += len(body)
        if self.share.held > self.allowance.held:
            self._engine.consumed(call.stream_id, len(body))
            self.finish(call, _TOO_MUCH)
            return
        try:
            messages = call.assembler.feed(body)
        except Refusal as refusal:
            self._engine.consumed(call.stream_id, len(body))
            self.finish(call, status_of(refusal))
            return
        if messages:
            call.stuck_since = None
            if call.received is None:
                call.received = deque()
            call.received.extend(messages)
        if call.route.takes_one:
            self._engine.consumed(call.stream_id, len(body))
            if call.received and len(call.received) > 1:
                self.finish(call, _ONE_MESSAGE)
        else:
            self._queue(call, len(body))

    def _queue(self, call: Call[P], amount: int) -> None:
        """Keep the window taken while the handler has messages that it has not read."""
        if call.received:
            call.unread += amount
            call.wake()
        else:
            self._engine.consumed(call.stream_id, amount)

    def _half_close(self, call: Call[P]) -> None:
        if call.is_half_closed or call.has_ended:
            return
        call.is_half_closed = True
        cut_short = call.assembler is not None and call.assembler.is_amid
        call.assembler = None
        if cut_short:
            self.finish(call, Status(Code.INVALID_ARGUMENT, "the request ended amid a message"))
        elif not call.route.takes_one:
            call.wake()
        elif not call.received:
            self.finish(call, _ONE_MESSAGE)
        else:
            payload = call.received[0]
            call.received = None
            run_one(self, call, payload)

    def _end_by_peer(self, call: Call[P]) -> None:
        self._forget(call, Code.CANCELLED)

    def _forget(self, call: Call[P], code: Code) -> None:
        self.release(call, call.held)
        call.has_ended = True
        del self.calls[call.stream_id]
        if call.timer is not None:
            call.timer.cancel()
        if call.unread:
            self.read(call)
        close = getattr(call.take_pending(), "close", None)
        if close is not None:
            close()
        task = call.task
        if task is not None and not task.done() and task is not asyncio.current_task(self._loop):
            task.cancel()
        self._server.call_finished(call, code)
        if self._is_draining:
            self.schedule_flush()

    def _respond_at_once(self, stream_id: int, headers: Headers, body: bytes, ended: bool) -> None:
        """Answer a request that does not become a call."""
        try:
            self._engine.respond(stream_id, headers, not body)
            if body:
                self._engine.send(stream_id, body, True)
        except StreamGone:
            return  # the reset came with the request
        if not ended:
            self._to_reset.append(stream_id)
        self.schedule_flush()

    def _reset_ended(self) -> bool:
        """Reset streams that we ended before their clients did, once all is written."""
        left = []
        for stream_id in self._to_reset:
            if self._engine.queued(stream_id):
                left.append(stream_id)
            else:
                self._engine.reset(stream_id, ErrorCode.NO_ERROR)
        has_reset = len(left) < len(self._to_reset)
        self._to_reset = left
        return has_reset
