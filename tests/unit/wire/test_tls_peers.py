"""Peers over TLS are judged by ourselves: who is whom, and who is nobody."""

from typing import Any

import pytest

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.tls import client_context
from tests.doubles.ca import Signed, SmallCa, key_usage
from tests.doubles.tls_endpoint import Endpoint, bundle, identity, small_ca


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
