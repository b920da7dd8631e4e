"""One D-Bus connection: calls side by side, answers by number, everything bounded.

Anybody on the system bus may send us signals and calls of any size. These are skipped unread; only
answers to our own calls are decoded, and the bus passes on no other answers than those asked for.
Between two portions of what came everybody else has their turn.
"""

import array
import asyncio
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

from jeepney import DBusAddress, Message, MessageType, new_method_call
from jeepney.low_level import HeaderFields, calc_msg_size

MAX_MESSAGE: Final = 64 * 1024
MAX_CALLS: Final = 32
ANSWER_WITHIN: Final = 5.0
_CHUNK: Final = 16 * 1024
_HEADER: Final = 16
_MAX_LINE: Final = 4096
_LAST_SERIAL: Final = 2**32 - 1
_ANSWERS: Final = (MessageType.method_return.value, MessageType.error.value)
# What jeepney raises for bytes that are no message.
_UNREADABLE: Final = (
    AssertionError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)

Answer = tuple[Any, ...]


class ConnectionLost(Exception):
    """The connection has ended, or can be used no more."""


class CallFailed(Exception):
    """The other side answered with an error of this name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


class Connection:
    """A connected socket on which calls are made; `open` first, `close` once."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, asyncio.Future[Answer]] = {}
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._serial = 0
        self._reader: asyncio.Task[None] | None = None
        self.passes_descriptors = False
        self.is_closed = False

    async def open(self) -> None:
        """Say who we are, which the kernel confirms, and begin to read. Raises: ConnectionLost."""
        identity = str(os.geteuid()).encode().hex().encode()
        # At once, as systemd's own clients do: where BEGIN comes late and together with the first
        # message, the manager forgets the message and drops a descriptor that belongs to it.
        greeting = b"\0AUTH EXTERNAL " + identity + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
        try:
            await self._loop.sock_sendall(self._sock, greeting)
        except OSError as error:
            raise ConnectionLost(f"the service manager went away: {error.strerror}") from error
        buffered = bytearray()
        answer = await self._line(buffered)
        if not answer.startswith(b"OK "):
            raise ConnectionLost(f"the service manager's bus refused us: {answer[:80]!a}")
        self.passes_descriptors = await self._line(buffered) == b"AGREE_UNIX_FD"
        if buffered:
            raise ConnectionLost("the service manager's bus does not speak D-Bus")
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(self._ended)

    async def call(
        self, to: DBusAddress, member: str, signature: str = "", body: Sequence[Any] = ()
    ) -> Answer:
        """Call a method and return its answer; descriptors in `body` stay the caller's.

        Raises: CallFailed, ConnectionLost.
        """
        async with self._slots:
            if self.is_closed:
                raise ConnectionLost("the connection to the service manager has ended")
            serial = self._serial = self._serial % _LAST_SERIAL + 1
            answer: asyncio.Future[Answer] = self._loop.create_future()
            self._calls[serial] = answer
            try:
                descriptors = array.array("i")
                message = new_method_call(to, member, signature or None, tuple(body))
                self._send(message.serialise(serial, descriptors), descriptors)
                async with asyncio.timeout(ANSWER_WITHIN) as waiting:
                    return await answer
            except TimeoutError as error:
                if not waiting.expired():
                    raise
                # What hangs is not asked again on the same connection.
                self.close()
                raise ConnectionLost("the service manager does not answer") from error
            finally:
                del self._calls[serial]

    def close(self) -> None:
        """End the connection and every call on it."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._reader is None:
            self._sock.close()
        else:
            self._reader.cancel()
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(ConnectionLost("the service manager ended the connection"))
                answer.exception()  # seen, also if nobody waits any more

    def _send(self, content: bytes, descriptors: "array.array[int]") -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)] if descriptors else []
        try:
            sent = self._sock.sendmsg([content], ancillary)
        except OSError as error:
            self.close()
            raise ConnectionLost(f"the service manager takes no calls: {error.strerror}") from error
        # Calls are short and few: what does not fit shows that nobody reads them.
        if sent != len(content):
            self.close()
            raise ConnectionLost("the service manager takes no calls")

    async def _line(self, buffered: bytearray) -> bytes:
        """Return the next line of the conversation before the first message."""
        while b"\r\n" not in buffered:
            if len(buffered) > _MAX_LINE:
                raise ConnectionLost("the service manager's bus does not speak D-Bus")
            buffered += await self._received(_MAX_LINE)
        line, _, rest = bytes(buffered).partition(b"\r\n")
        buffered[:] = rest
        return line

    async def _received(self, most: int) -> bytes:
        try:
            content = await self._loop.sock_recv(self._sock, most)
        except OSError as error:
            raise ConnectionLost(f"the service manager went away: {error.strerror}") from error
        if not content:
            raise ConnectionLost("the service manager ended the connection")
        # What is there already is received without waiting: a flood would leave nobody a turn.
        await asyncio.sleep(0)  # noqa: TID251 - yields only
        return content

    async def _read(self) -> None:
        buffered = bytearray()
        try:
            while True:
                await self._fill(buffered, _HEADER)
                kind, size = buffered[1], calc_msg_size(bytes(buffered[:_HEADER]))
                if kind in _ANSWERS and size <= MAX_MESSAGE:
                    await self._fill(buffered, size)
                    self._take(Message.from_buffer(bytes(buffered[:size])))
                    del buffered[:size]
                elif kind in _ANSWERS:
                    return
                else:
                    await self._skip(buffered, size)
        except (ConnectionLost, *_UNREADABLE):
            return

    def _ended(self, _: "asyncio.Task[None]") -> None:
        self._sock.close()
        self.close()

    async def _fill(self, buffered: bytearray, size: int) -> None:
        while len(buffered) < size:
            buffered += await self._received(_CHUNK)

    async def _skip(self, buffered: bytearray, size: int) -> None:
        while len(buffered) < size:
            size -= len(buffered)
            buffered.clear()
            buffered += await self._received(_CHUNK)
        del buffered[:size]

    def _take(self, message: Message) -> None:
        fields = message.header.fields
        answer = self._calls.get(fields.get(HeaderFields.reply_serial, 0))
        if answer is None or answer.done():
            return
        if message.header.message_type is MessageType.error:
            text = next((each for each in message.body if isinstance(each, str)), "")
            name = str(fields.get(HeaderFields.error_name, ""))
            answer.set_exception(CallFailed(name, text))
        else:
            answer.set_result(tuple(message.body))
