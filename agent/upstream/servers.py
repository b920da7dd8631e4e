"""The servers of our trust domain as one: calls go to the one that answers, in turn."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from google.protobuf.message import Message

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel, Stream
from finial.wire.grpc.method import Method

TIMEOUT: Final = 30.0
UNREACHED: Final = frozenset({Kind.UNAVAILABLE, Kind.TIMEOUT, Kind.UNAUTHENTICATED})
"""How a call fails that had no answer of a server of ours; the last is one that is none."""
log = logging.getLogger("finial.agent.upstream")

Open = Callable[[str], Channel]


class Servers:
    """Channels to one address after another; `open_channel` makes the one to an address."""

    def __init__(self, addresses: Sequence[str], open_channel: Open) -> None:
        if not addresses:
            raise ValueError("there is no server address")
        self._addresses = tuple(addresses)
        self._open = open_channel
        self._turn = 0
        self._channel = open_channel(self._addresses[0])

    @property
    def address(self) -> str:
        """The server whose turn it is, as `host:port`."""
        return self._addresses[self._turn]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return self._addresses

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._channel.is_connected

    async def unary(self, method: Method, request: Message, *, timeout: float = TIMEOUT) -> Any:
        """Call one server; one that cannot be reached passes the call on to the next.

        Raises: Refusal with the server's kind and reason, or UNAVAILABLE, TIMEOUT.
        """
        for last in (*(False for _ in self._addresses[1:]), True):
            channel = self._channel
            try:
                return await channel.unary(method, request, timeout=timeout)
            except Refusal as refusal:
                await self._give_way(channel, refusal)
                if last or refusal.kind not in UNREACHED:
                    raise
        raise AssertionError("the last call returns or raises")

    @asynccontextmanager
    async def stream(
        self, method: Method, *, timeout: float | None = None
    ) -> AsyncIterator[Stream]:
        """Open a stream to the server whose turn it is.

        Raises: Refusal, on entering and from within.
        """
        channel = self._channel
        try:
            async with channel.stream(method, timeout=timeout) as stream:
                yield stream
        except Refusal as refusal:
            await self._give_way(channel, refusal)
            raise

    async def _give_way(self, channel: Channel, refusal: Refusal) -> None:
        """Let the next server have its turn if this one could not be reached."""
        if refusal.kind not in UNREACHED or len(self._addresses) == 1:
            return
        # Of several calls that fail on one channel only the first gives way.
        if channel is self._channel:
            self._turn = (self._turn + 1) % len(self._addresses)
            self._channel = self._open(self.address)
            log.info("%s; going on with %s", refusal, self.address)
            await channel.close()

    async def go_on_with(self, address: str) -> None:
        """Give that server its turn, because it was just there."""
        if address != self.address:
            former, self._turn = self._channel, self._addresses.index(address)
            self._channel = self._open(address)
            await former.close()

    def present_anew(self) -> None:
        """Make a new connection for new calls, because our own SVID or the bundle changed."""
        self._channel.retire()

    async def close(self) -> None:
        """End the connection and every call on it."""
        await self._channel.close()
