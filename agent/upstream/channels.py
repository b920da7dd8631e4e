"""Channels to servers: whom we present ourselves as, and how we judge who answers.

A server's certificate bears no DNS name. It is judged by the bundle of our trust domain and by its
SPIFFE ID, which must be the server's, never by the host that was dialled (spire-wire 1.1).
"""

import ssl
from collections.abc import Callable

from finial.runtime.clock import Clock
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import server_id
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.join_string import split_address
from finial.wire.tls import TlsIdentity, client_context, server_is


class Channels:
    """Opens channels; `identity` and `bundle` are asked at each new connection."""

    def __init__(
        self,
        trust_domain: TrustDomain,
        identity: Callable[[], TlsIdentity | None],
        bundle: Callable[[], Bundle | None],
        clock: Clock,
    ) -> None:
        self._judge = server_is(server_id(trust_domain))
        self._identity = identity
        self._bundle = bundle
        self._clock = clock

    def as_ourselves(self, address: str) -> Channel:
        """A channel that presents our SVID, whichever it is when a connection is made."""
        return self._channel(address, self._our_context)

    def judged_by(self, address: str, bundle: Bundle | None) -> Channel:
        """A channel that presents nothing, for attestation; without a bundle only the name counts.

        Without one, whoever answers may be anybody who calls himself the server.
        """
        return self._channel(address, lambda: client_context(None, bundle))

    def unjudged(self, address: str) -> Channel:
        """A channel to whoever answers there under the server's name."""
        return self.judged_by(address, None)

    def _our_context(self) -> ssl.SSLContext:
        bundle = self._bundle()
        if bundle is None:
            raise Refusal(Kind.UNAVAILABLE, "there is no bundle to judge the server by")
        return client_context(self._identity(), bundle)

    def _channel(self, address: str, tls: Callable[[], ssl.SSLContext]) -> Channel:
        place = TcpAddress(*split_address(address))
        return Channel(place, tls=tls, judge=self._judge, clock=self._clock)
