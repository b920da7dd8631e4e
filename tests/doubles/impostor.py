"""Somebody who calls himself the server and hands on what the real one proves."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from finial.runtime.clock import SystemClock
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import server_id
from finial.wire.grpc.call import Call
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.grpc.method import method
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import service
from finial.wire.pb import agent_pb2, follow_pb2
from finial.wire.tls import TlsIdentity, client_context, server_context, server_is
from tests.doubles.ca import SmallCa

_BOOTSTRAP = follow_pb2.DESCRIPTOR.services_by_name["Bootstrap"]
_AGENT = agent_pb2.DESCRIPTOR.services_by_name["Agent"]


class Relay:
    """Listens with a certificate of its own; `asked` is what callers asked, `seen` their bytes."""

    def __init__(self, host: str, real: tuple[str, int]) -> None:
        self.asked: list[str] = []
        self.seen: list[bytes] = []
        self.port = 0
        self._host = host
        self._real = TcpAddress(*real)
        self._listening = threading.Event()

    @contextlib.contextmanager
    def serving(self) -> Iterator["Relay"]:
        """Serve in a thread."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=[self._serve()], daemon=True)
        thread.start()
        assert self._listening.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        signed = SmallCa("example.org", now=SystemClock().now()).workload("/spire/server")
        identity = TlsIdentity(signed.chain, signed.key_pkcs8)
        services = [
            service(_BOOTSTRAP, {"GetProvenBundle": self._hand_on}),
            service(_AGENT, {"AttestAgent": self._attest}),
        ]
        server: Server[Any] = Server(services, identify=lambda _: None)
        tls = server_context(lambda: identity, lambda: ())
        _, self.port = await server.listen_tcp(self._host, 0, tls)
        self._listening.set()
        await self._stop.wait()
        await server.close(0)

    async def _hand_on(self, _: Any, request: Any) -> Any:
        self._note("GetProvenBundle", request)
        expected: SpiffeId = server_id(TrustDomain("example.org"))
        channel = Channel(
            self._real, tls=lambda: client_context(None, None), judge=server_is(expected)
        )
        try:
            return await channel.unary(method(_BOOTSTRAP, "GetProvenBundle"), request, timeout=10)
        finally:
            await channel.close()

    async def _attest(self, call: Call[Any]) -> None:
        async for message in call:
            self._note("AttestAgent", message)
        raise Refusal(Kind.DENIED, "thank you for the token")

    def _note(self, name: str, message: Any) -> None:
        self.asked.append(name)
        self.seen.append(message.SerializeToString())
