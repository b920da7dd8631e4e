"""TLS that follows an SVID and a bundle: contexts, rotation, protocols and handshakes."""

import asyncio
import logging
import ssl
from typing import Any

import pytest
import uvloop

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel, TcpAddress
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.server import Server
from finial.wire.tls import TlsIdentity, client_context, server_context
from tests.doubles.ca import SmallCa
from tests.doubles.echo import SAY, Echo, Said
from tests.doubles.tls_endpoint import Endpoint, bundle, identity, small_ca


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
