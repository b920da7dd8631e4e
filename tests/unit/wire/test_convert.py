"""Values as SPIRE's messages, both ways."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.jwt_svid import JwtSvid
from finial.spiffe.refusal import Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.x509_svid import X509Svid
from finial.wire.convert import (
    bundle_from,
    bundle_message,
    jwt_svid_from,
    jwt_svid_message,
    selector_from,
    selector_message,
    spiffe_id_from,
    spiffe_id_message,
    x509_svid_from,
    x509_svid_message,
)
from finial.wire.pb import types_pb2
from tests.doubles.ca import SmallCa

ID = SpiffeId.parse("spiffe://example.org/web")


def test_a_spiffe_id_and_a_selector_come_back() -> None:
    """What is written can be read."""
    assert spiffe_id_from(spiffe_id_message(ID)) == ID
    selector = Selector("unix", "uid:1000")
    assert selector_from(selector_message(selector)) == selector


@pytest.mark.parametrize(
    ("trust_domain", "path"),
    [("", "/x"), ("Example.org", "/x"), ("example.org", "x"), ("example.org", "/../x")],
)
def test_a_malformed_id_is_refused(trust_domain: str, path: str) -> None:
    """A SPIFFE ID in a message obeys the same rules as one in a text (ID-02, ID-05)."""
    with pytest.raises(Refusal):
        spiffe_id_from(types_pb2.SPIFFEID(trust_domain=trust_domain, path=path))


def test_a_malformed_selector_is_refused() -> None:
    """A selector has a type without colon and a value."""
    with pytest.raises(Refusal):
        selector_from(types_pb2.Selector(type="a:b", value="c"))


def test_a_bundle_comes_back_with_its_taint_marks() -> None:
    """Authorities, taint marks, sequence and hint survive."""
    ca = SmallCa()
    bundle = Bundle(
        TrustDomain("example.org"),
        (X509Authority(ca.der, tainted=True), X509Authority(SmallCa().der)),
        (JwtAuthority("k", b"spki", 5, tainted=True),),
        sequence=7,
        refresh_hint=60,
    )
    assert bundle_from(bundle_message(bundle)) == bundle


def test_several_certificates_in_one_field_are_split() -> None:
    """SPIRE accepts several concatenated certificates in one authority."""
    first, second = SmallCa(), SmallCa()
    message = types_pb2.Bundle(trust_domain="spiffe://example.org")
    message.x509_authorities.add(asn1=first.der + second.der)
    assert [each.der for each in bundle_from(message).x509_authorities] == [first.der, second.der]


@pytest.mark.parametrize(
    "message",
    [
        types_pb2.Bundle(trust_domain="example.org", refresh_hint=-1),
        types_pb2.Bundle(trust_domain="example.org", jwt_authorities=[types_pb2.JWTKey()]),
        types_pb2.Bundle(
            trust_domain="example.org", x509_authorities=[types_pb2.X509Certificate(asn1=b"x")]
        ),
    ],
)
def test_a_malformed_bundle_is_refused(message: types_pb2.Bundle) -> None:
    """A negative hint, a JWT key without name, and what is no certificate are refused."""
    with pytest.raises(Refusal):
        bundle_from(message)


def test_an_x509_svid_is_judged_when_it_is_read() -> None:
    """The ID beside a certificate has to be that in it."""
    svid = X509Svid.parse(SmallCa().intermediate().workload("/web").chain)
    message = x509_svid_message(svid)
    assert message.expires_at == svid.not_after
    assert x509_svid_from(message) == svid
    message.id.path = "/other"
    with pytest.raises(Refusal, match="not of the ID beside it"):
        x509_svid_from(message)


def test_a_jwt_svid_is_read_with_its_id() -> None:
    """The ID beside a token has to be that in it."""
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": str(ID), "aud": ["a"], "exp": 2_000_000_000, "iat": 1_900_000_000}
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k", "typ": "JWT"})
    svid = JwtSvid.parse_unverified(token)
    message = jwt_svid_message(svid)
    assert (message.expires_at, message.issued_at) == (2_000_000_000, 1_900_000_000)
    assert jwt_svid_from(message) == svid
    message.id.path = "/other"
    with pytest.raises(Refusal, match="not of the ID beside it"):
        jwt_svid_from(message)
