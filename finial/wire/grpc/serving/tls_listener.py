"""Accepts TCP connections and shakes hands in TLS, a bounded number at once.

Each address has its share of the places. Connections beyond it are closed at once, so that a crowd
from one address, which never shakes hands, keeps nobody else out.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from finial.runtime.clock import Clock
from finial.wire.grpc.limits import Limits
from finial.wire.network import network_of

_log = logging.getLogger("finial.wire")
_PAUSE_WITHOUT_DESCRIPTORS: Final = 1.0


class TlsListener:
    """Listens on a bound socket from its making until it is closed.

    The event loop's own TLS server bounds neither how many handshakes are under way nor says why
    one failed; here a failed handshake is a line of the log.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._listening = listening
        self._context = context
        self._make = make
        self._limits = limits
        self._clock = clock
        self._room = asyncio.Semaphore(limits.max_handshakes)
        self._shares: Counter[str] = Counter()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Stop listening and drop what has not finished its handshake."""
        self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.cancel()
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            await self._room.acquire()
            accepted, address = await self._next()
            name = network_of(str(address[0]))
            if self._shares[name] >= self._limits.max_handshakes_per_address:
                _log.info("no TLS connection with %s: too many handshakes at once", address)
                accepted.close()
                self._room.release()
                continue
            self._shares[name] += 1
            task = self._loop.create_task(self._shake_hands(accepted, address, name))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _next(self) -> tuple[socket.socket, Any]:
        while True:
            try:
                return await self._loop.sock_accept(self._listening)
            except ConnectionError:
                continue
            except OSError:
                _log.exception("no connection can be accepted now")
                await self._clock.sleep(_PAUSE_WITHOUT_DESCRIPTORS)

    async def _shake_hands(self, accepted: socket.socket, address: object, name: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_seconds,
                ssl_shutdown_timeout=self._limits.goodbye_seconds,
            )
        except (OSError, TimeoutError, ssl.SSLError) as failure:
            # Whoever only looks whether the port is open leaves like that, all day long.
            left = isinstance(failure, ConnectionResetError)
            level = logging.DEBUG if left else logging.INFO
            _log.log(level, "no TLS connection with %s: %s", address, failure)
        finally:
            self._shares[name] -= 1
            if not self._shares[name]:
                del self._shares[name]
            self._room.release()
