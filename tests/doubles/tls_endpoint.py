"""A server over TLS, and the identities and bundles that it and its clients hold."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from finial.wire.tls import TlsIdentity, peer_id, server_context, server_is
from tests.doubles.ca import Signed, SmallCa
from tests.doubles.echo import SAY, Echo, Said

SERVER = SpiffeId.parse("spiffe://example.org/spire/server")
NOW = SystemClock().now()


def small_ca(trust_domain: str = "example.org") -> SmallCa:
    return SmallCa(trust_domain, now=NOW)


def bundle(*authorities: SmallCa) -> Bundle:
    domain = TrustDomain.parse(authorities[0].trust_domain)
    return Bundle(domain, tuple(X509Authority(each.der) for each in authorities))


def identity(signed: Signed) -> TlsIdentity:
    return TlsIdentity(signed.chain, signed.key_pkcs8)


@dataclass
class Endpoint:
    """A server over TLS whose identity and trust a test may exchange."""

    engine: EngineName
    identity: TlsIdentity
    trust: tuple[Bundle, ...]
    peers: list[SpiffeId | None] = field(default_factory=list)
    address: TcpAddress = TcpAddress("127.0.0.1", 0)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        def identify(transport: Any) -> SpiffeId | None:
            self.peers.append(peer_id(transport.get_extra_info("ssl_object")))
            return self.peers[-1]

        server: Server[Any] = Server([Echo().service()], identify=identify, engine=self.engine)
        context = server_context(lambda: self.identity, lambda: self.trust)
        self.address = TcpAddress(*await server.listen_tcp("127.0.0.1", 0, context))
        try:
            yield
        finally:
            await server.close(grace=0)

    async def call(self, context: ssl.SSLContext, expected: SpiffeId = SERVER) -> None:
        channel = Channel(
            self.address, tls=lambda: context, judge=server_is(expected), engine=self.engine
        )
        try:
            await channel.unary(SAY, Said(text="x"), timeout=5)
        finally:
            await channel.close()
