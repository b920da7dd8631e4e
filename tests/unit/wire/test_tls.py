"""TLS that follows an SVID and a bundle, and judges peers itself."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from finial.wire.tls import TlsIdentity, client_context, peer_id, server_context, server_is
from tests.doubles.ca import Signed, SmallCa, key_usage
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


@pytest.fixture
def ca() -> SmallCa:
    return small_ca()


@pytest.fixture
def endpoint(engine: EngineName, ca: SmallCa) -> Endpoint:
    return Endpoint(engine, identity(ca.workload("/spire/server")), (bundle(ca),))


def test_a_client_without_a_certificate_is_nobody(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """A server asks for a client's certificate and goes on without one."""

    async def scene() -> None:
        async with endpoint.open():
            await endpoint.call(client_context(None, bundle(ca)))
        assert endpoint.peers == [None]

    run(scene())


def test_a_client_is_known_by_its_svid(run: Any, ca: SmallCa, endpoint: Endpoint) -> None:
    """A client whose chain leads to the bundle, here over an intermediate, is its SPIFFE ID."""

    async def scene() -> None:
        svid = ca.intermediate().workload("/spire/agent/x")
        async with endpoint.open():
            await endpoint.call(client_context(identity(svid), bundle(ca)))
        assert [str(peer) for peer in endpoint.peers] == ["spiffe://example.org/spire/agent/x"]

    run(scene())


def test_insecure_bootstrap_still_compares_the_id(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """Without a bundle the chain is not validated, but another SPIFFE ID is still refused."""

    async def scene() -> None:
        async with endpoint.open():
            await endpoint.call(client_context(None, None))
            with pytest.raises(Refusal, match="the server is not") as caught:
                await endpoint.call(
                    client_context(None, None), SpiffeId.parse("spiffe://other.org/spire/server")
                )
            assert caught.value.kind is Kind.UNAUTHENTICATED

    run(scene())


def test_a_server_with_another_id_is_refused(run: Any, ca: SmallCa, endpoint: Endpoint) -> None:
    """A workload of the same trust domain cannot play the server (X509-31)."""

    async def scene() -> None:
        endpoint.identity = identity(ca.workload("/web"))
        async with endpoint.open():
            with pytest.raises(Refusal, match=r"it is spiffe://example\.org/web"):
                await endpoint.call(client_context(None, bundle(ca)))

    run(scene())


def test_a_server_of_a_foreign_authority_is_refused(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """A server whose chain does not lead to the bundle is not talked to."""

    async def scene() -> None:
        async with endpoint.open():
            with pytest.raises(Refusal, match="is not vouched for by the bundle") as caught:
                await endpoint.call(client_context(None, bundle(small_ca())))
            assert caught.value.kind is Kind.UNAUTHENTICATED

    run(scene())


def test_an_intermediate_in_a_bundle_is_an_anchor(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """A path may end at any certificate of the bundle, self-signed or not."""

    async def scene() -> None:
        below = ca.intermediate()
        endpoint.trust = (bundle(below),)
        async with endpoint.open():
            await endpoint.call(client_context(identity(below.workload("/w")), bundle(ca)))
        assert [str(peer) for peer in endpoint.peers] == ["spiffe://example.org/w"]

    run(scene())


def _ca_leaf(ca: SmallCa) -> Signed:
    return ca.intermediate("", extensions=_ca_extensions()).root


def _ca_extensions() -> list[Any]:
    from cryptography import x509

    return [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (key_usage("digital_signature", "key_cert_sign"), True),
        (
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("spiffe://example.org/web")]
            ),
            False,
        ),
    ]


NOT_SVIDS = {
    "a leaf that is a CA (X509-12)": _ca_leaf,
    "two URI SANs (X509-02)": lambda ca: ca.leaf(
        ["spiffe://example.org/a", "spiffe://example.org/b"]
    ),
    "no URI SAN (X509-02)": lambda ca: ca.leaf([], dns=["web"]),
    "an ID without a path (X509-30)": lambda ca: ca.leaf(["spiffe://example.org"]),
    "a foreign trust domain (ID-20)": lambda ca: ca.leaf(["spiffe://foreign.org/web"]),
    "no digitalSignature": lambda ca: ca.workload(
        extensions=[
            *_ca_extensions()[2:],
            (key_usage("key_agreement"), True),
        ]
    ),
}


@pytest.mark.parametrize("name", NOT_SVIDS)
def test_what_openssl_lets_pass_is_refused(
    run: Any, ca: SmallCa, endpoint: Endpoint, name: str
) -> None:
    """A certificate of the right authority that is no X.509-SVID of its domain gets no call."""

    async def scene() -> None:
        svid = NOT_SVIDS[name](ca)
        async with endpoint.open():
            with pytest.raises(Refusal) as caught:
                await endpoint.call(client_context(identity(svid), bundle(ca)))
            assert caught.value.kind is Kind.UNAVAILABLE
        assert endpoint.peers == []

    run(scene())


def test_each_domain_is_vouched_for_by_its_own_bundle(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """Of two trusted bundles, one does not vouch for the IDs of the other (ID-20)."""

    async def scene() -> None:
        other = small_ca("other.org")
        endpoint.trust = (bundle(ca), bundle(other))
        async with endpoint.open():
            await endpoint.call(client_context(identity(other.workload("/w")), bundle(ca)))
            await endpoint.call(client_context(identity(ca.workload("/w")), bundle(ca)))
            forged = other.leaf(["spiffe://example.org/w"])
            with pytest.raises(Refusal):
                await endpoint.call(client_context(identity(forged), bundle(ca)))
        assert [str(p) for p in endpoint.peers] == [
            "spiffe://other.org/w",
            "spiffe://example.org/w",
        ]

    run(scene())


def test_a_removed_root_is_refused_at_the_next_handshake(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """After a root was removed nobody gets in by it, nor by a session from before."""

    async def scene() -> None:
        old = client_context(identity(ca.workload("/w")), bundle(ca))
        async with endpoint.open():
            await endpoint.call(old)
            assert old.session_stats()["accept_good"] == 0
            endpoint.trust = (bundle(small_ca()),)
            with pytest.raises(Refusal) as caught:
                await endpoint.call(old)
            assert caught.value.kind is Kind.UNAVAILABLE
        assert len(endpoint.peers) == 1

    run(scene())


def test_no_session_is_ever_given_to_a_client(run: Any, ca: SmallCa, endpoint: Endpoint) -> None:
    """A server gives no ticket, also after its context was exchanged, so nothing is resumed."""

    async def scene() -> None:
        async with endpoint.open():
            context = client_context(None, bundle(ca))
            sessions: list[Any] = []
            channel = Channel(
                endpoint.address,
                tls=lambda: context,
                judge=sessions.append,
                engine=endpoint.engine,
            )
            await channel.unary(SAY, Said(), timeout=5)
            assert sessions[0].session is None or not sessions[0].session.has_ticket
            await channel.close()

    run(scene())


def test_our_own_certificate_rotates_without_rebinding(
    run: Any, ca: SmallCa, endpoint: Endpoint
) -> None:
    """A new SVID is presented from the next handshake on; the port stays the same."""

    async def scene() -> None:
        first = endpoint.identity
        shown: list[bytes] = []
        async with endpoint.open():
            for each in (first, identity(ca.workload("/spire/server"))):
                endpoint.identity = each
                context = client_context(None, bundle(ca))
                channel = Channel(
                    endpoint.address,
                    tls=lambda context=context: context,
                    judge=lambda session: shown.append(session.getpeercert(True)),
                    engine=endpoint.engine,
                )
                await channel.unary(SAY, Said(), timeout=5)
                await channel.close()
        assert shown == [first.chain[0], endpoint.identity.chain[0]]

    run(scene())


def test_a_context_is_built_once_for_an_identity(ca: SmallCa) -> None:
    """Handshakes between two rotations share one context."""
    from finial.wire.tls import _Source

    own, trust = identity(ca.workload("/spire/server")), (bundle(ca),)
    source = _Source(lambda: own, lambda: list(trust))
    first = source.current()
    assert source.current() is first
    own = identity(ca.workload("/spire/server"))
    assert source.current() is not first


def test_older_protocols_are_refused(run: Any, ca: SmallCa, endpoint: Endpoint) -> None:
    """TLS 1.2 is not spoken."""

    async def scene() -> None:
        async with endpoint.open():
            context = client_context(None, bundle(ca))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(Refusal, match="cannot reach"):
                await endpoint.call(context)

    run(scene())


def test_a_key_is_not_shown_by_its_identity(ca: SmallCa) -> None:
    """The private key is left out of what is printed."""
    assert "private_key" not in repr(identity(ca.workload("/w")))


def test_without_an_identity_there_is_no_handshake(
    run: Any, ca: SmallCa, endpoint: Endpoint, caplog: Any
) -> None:
    """A server that has no SVID yet refuses the handshake and says why in its log."""

    async def scene() -> None:
        def missing() -> TlsIdentity:
            raise LookupError("no SVID yet")

        server: Server[Any] = Server([], identify=lambda transport: "", engine=endpoint.engine)
        context = server_context(missing, lambda: endpoint.trust)
        endpoint.address = TcpAddress(*await server.listen_tcp("127.0.0.1", 0, context))
        with pytest.raises(Refusal, match="cannot reach"):
            await endpoint.call(client_context(None, None))
        await server.close(grace=0)

    run(scene())
    assert "no SVID yet" in caplog.text


def test_handshakes_are_bounded_in_number_and_time(
    run: Any, ca: SmallCa, endpoint: Endpoint, caplog: Any
) -> None:
    """Whoever connects and does not shake hands holds a place for a limited time only."""

    async def scene() -> None:
        limits = Limits(max_handshakes=2, handshake_seconds=1)
        server: Server[Any] = Server(
            [Echo().service()],
            identify=lambda transport: "",
            limits=limits,
            engine=endpoint.engine,
        )
        context = server_context(lambda: endpoint.identity, lambda: endpoint.trust)
        host, port = await server.listen_tcp("127.0.0.1", 0, context)
        endpoint.address = TcpAddress(host, port)
        silent = [await asyncio.open_connection(host, port) for _ in range(2)]
        await endpoint.call(client_context(None, bundle(ca)))
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        await server.close(grace=0)

    with caplog.at_level(logging.INFO, "finial.wire"):
        run(scene())
    assert caplog.text.count("no TLS connection with") == 2


def test_a_failed_handshake_is_in_the_log(
    run: Any, ca: SmallCa, endpoint: Endpoint, caplog: Any
) -> None:
    """Why a client was not let in can be read at the server."""

    async def scene() -> None:
        async with endpoint.open():
            stranger = identity(small_ca().workload("/w"))
            with pytest.raises(Refusal):
                await endpoint.call(client_context(stranger, bundle(ca)))

    with caplog.at_level(logging.INFO, "finial.wire"):
        run(scene())
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_the_layer_runs_on_another_event_loop(ca: SmallCa, endpoint: Endpoint) -> None:
    """uvloop's transports and TLS do as well as asyncio's, rotation and judgement included."""

    async def scene() -> None:
        svid = ca.workload("/spire/agent/x")
        async with endpoint.open():
            await endpoint.call(client_context(identity(svid), bundle(ca)))
            endpoint.trust = (bundle(small_ca()),)
            with pytest.raises(Refusal):
                await endpoint.call(client_context(identity(svid), bundle(ca)))
        assert [str(peer) for peer in endpoint.peers] == ["spiffe://example.org/spire/agent/x"]

    uvloop.run(scene())
