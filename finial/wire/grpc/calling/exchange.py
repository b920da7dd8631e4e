"""A call as the client's connection sees it."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from finial.wire.grpc.protocol.framing import Assembler
from finial.wire.status import Code, Status, refusal_of

if TYPE_CHECKING:
    from finial.wire.grpc.calling.client_connection import ClientConnection

LOST = Status(Code.UNAVAILABLE, "the connection was lost")


class Exchange:
    """One stream: what the server has sent on it, and how it ended.

    `was_not_seen` is true when the server is known to have done nothing about it.
    """

    __slots__ = (
        "_connection",
        "assembler",
        "http_status",
        "is_half_closed",
        "received",
        "room",
        "status",
        "stream_id",
        "unread",
        "waiter",
        "was_not_seen",
    )

    def __init__(self, connection: "ClientConnection", stream_id: int, limit: int) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self.assembler = Assembler(limit)
        self.received: deque[bytes] = deque()
        self.unread = 0
        self.http_status = 0
        self.status: Status | None = None
        self.is_half_closed = False
        self.was_not_seen = False
        self.waiter: asyncio.Future[None] | None = None
        self.room: asyncio.Future[None] | None = None

    async def receive(self) -> bytes | None:
        """Return the next message, None after the last of a call that was OK. Raises: Refusal."""
        while not self.received:
            if self.status is not None:
                if self.status.code is Code.OK:
                    return None
                raise refusal_of(self.status)
            await self._wait()
        payload = self.received.popleft()
        if not self.received and self.unread:
            self._connection.read(self)
        return payload

    async def outcome(self) -> Status:
        """Wait for the end of the call."""
        while self.status is None:
            await self._wait()
        return self.status

    async def send(self, payload: bytes) -> None:
        """Send a message, waiting while the server does not read.

        Raises: Refusal with the status when the call has ended.
        """
        self.raise_if_failed()
        self._connection.send_message(self, payload)
        while self.status is None and self._connection.is_full(self):
            await self._connection.room_for(self)

    def raise_if_failed(self) -> None:
        """Refuse to go on with a call that has ended. Raises: Refusal."""
        if self.status is not None:
            raise refusal_of(self.status)

    def half_close(self) -> None:
        """Say that no more messages follow."""
        self._connection.half_close(self)

    def abandon(self) -> None:
        """Cancel the call, unless it has ended."""
        self._connection.cancel(self)

    def expire(self) -> None:
        """End the call because its time is over."""
        self.end(Status(Code.DEADLINE_EXCEEDED, "the deadline has passed"))
        self._connection.cancel(self)

    def end(self, status: Status) -> None:
        """Note how the call ended, once, and wake whoever waits."""
        if self.status is None:
            self.status = status
        self.wake()
        if self.room is not None and not self.room.done():
            self.room.set_result(None)

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def _wait(self) -> None:
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None
