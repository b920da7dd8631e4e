"""A call as its handler sees it."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.protocol.framing import PREFIX, Assembler
from finial.wire.grpc.protocol.metadata import ReceivedMetadata
from finial.wire.grpc.protocol.request_head import RequestHead
from finial.wire.grpc.service import Route

if TYPE_CHECKING:
    from finial.wire.grpc.serving.server_connection import ServerConnection

P = TypeVar("P")


class Call(Generic[P]):
    """One RPC of one peer.

    `caller` is free for what the guard finds out; `deadline` is on the monotonic clock, None if
    the client set none. A handler of a call that was reset, whose deadline has passed or whose
    connection has ended is cancelled.
    """

    __slots__ = (
        "_connection",
        "_headers",
        "assembler",
        "caller",
        "deadline",
        "has_ended",
        "has_responded",
        "held",
        "is_half_closed",
        "pending",
        "received",
        "room",
        "route",
        "started",
        "stream_id",
        "stuck_since",
        "task",
        "timer",
        "unread",
        "waiter",
    )

    def __init__(
        self,
        connection: "ServerConnection[P]",
        stream_id: int,
        head: RequestHead,
        started: float,
    ) -> None:
        self._connection = connection
        self._headers = head.metadata
        self.stream_id = stream_id
        self.route = head.route
        self.started = started
        self.deadline = None if head.timeout is None else started + head.timeout
        self.caller: Any = None
        self.assembler: Assembler | None = Assembler(connection.allowance.message)
        self.received: deque[bytes] | None = None
        self.unread = 0
        self.held = 0
        self.has_responded = False
        self.has_ended = False
        self.is_half_closed = False
        self.stuck_since: float | None = None
        self.pending: Awaitable[Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.room: asyncio.Future[None] | None = None

    @property
    def method(self) -> str:
        """The path, such as `/SpiffeWorkloadAPI/FetchX509SVID`."""
        return self.route.method.path

    @property
    def peer(self) -> P:
        """Who is at the other end of the connection, as `identify` found."""
        return self._connection.peer

    @property
    def metadata(self) -> ReceivedMetadata:
        """What the client sent beside the message."""
        return ReceivedMetadata(self._headers)

    @property
    def awaits_request(self) -> bool:
        """Whether a message of the client has begun, or its only one has not, and is not here."""
        if self.assembler is None:
            return False
        return self.route.takes_one or self.assembler.is_amid

    async def send(self, message: Message | bytes) -> None:
        """Send a message (or one already serialised), waiting while the client does not read.

        Raises: Refusal CANCELLED when the call has ended.
        """
        payload = message if isinstance(message, bytes) else message.SerializeToString()
        self._connection.send_message(self, payload)
        while self._connection.is_full(self):
            await self._connection.room_for(self)

    def __aiter__(self) -> "Call[P]":
        return self

    async def __anext__(self) -> Any:
        """Return the client's next message; stop when it has half-closed.

        Raises: Refusal INVALID for a message that cannot be parsed.
        """
        while not self.received:
            if self.is_half_closed or self.has_ended:
                raise StopAsyncIteration
            self.waiter = asyncio.get_running_loop().create_future()
            try:
                await self.waiter
            finally:
                self.waiter = None
        payload = self.received.popleft()
        self._connection.release(self, len(payload) + PREFIX)
        if not self.received and self.unread:
            self._connection.read(self)
        return parse(self.route, payload)

    def take_pending(self) -> Awaitable[Any] | None:
        """Return what is to be awaited next, if there is something, once."""
        pending, self.pending = self.pending, None
        return pending

    def wake(self) -> None:
        """Let a handler that waits for a message look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


def parse(route: Route, payload: bytes) -> Message:
    """Parse a request. Raises: Refusal INVALID."""
    try:
        return route.parse(payload)
    except DecodeError as failure:
        raise Refusal(
            Kind.INVALID, f"the request is no {route.method.request.DESCRIPTOR.full_name}"
        ) from failure
