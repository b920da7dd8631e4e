"""Secrets as Envoy takes them."""

import ssl
from dataclasses import replace

import pytest

from agent.api.sds.secret import Form, Trust, certificate, digest, pem, validation
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.wire.pb import envoy_tls_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.entitlements import TRUST_DOMAIN, held_svid

OWN = Bundle(TRUST_DOMAIN, (X509Authority(b"1"), X509Authority(b"2")))
FRIEND = Bundle(TrustDomain("friend.test"), (X509Authority(b"3"),))


def test_pem_is_what_others_read() -> None:
    """Line breaks and labels are those of every other reader."""
    der = SmallCa().der
    assert pem("CERTIFICATE", der).decode() == ssl.DER_cert_to_PEM_cert(der)


def test_a_version_is_made_of_what_is_public() -> None:
    """Another key of the same chain would be the same version: nothing is learnt about keys."""
    svid = held_svid("a")
    made = certificate("x", svid)
    assert certificate("y", replace(svid, private_key=b"another")).version == made.version
    assert certificate("x", replace(svid, chain=(b"another",))).version != made.version
    assert "key" not in repr(made)


def test_a_digest_tells_parts_apart() -> None:
    """Moving a byte from one part to the next is another version."""
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])


def test_a_version_of_trust_depends_on_everything_in_it() -> None:
    """Authorities, trust domains, revocation lists and the form; not on the order of domains."""
    made = [
        validation("x", [Trust(OWN)], Form.SPIFFE),
        validation("x", [Trust(OWN)], Form.PLAIN),
        validation("x", [Trust(OWN, (b"crl",))], Form.SPIFFE),
        validation("x", [Trust(FRIEND)], Form.SPIFFE),
        validation("x", [Trust(OWN), Trust(FRIEND)], Form.SPIFFE),
    ]
    assert len({each.version for each in made}) == len(made)
    turned = validation("x", [Trust(FRIEND), Trust(OWN)], Form.SPIFFE)
    assert turned.version == made[-1].version
    assert turned.packed == made[-1].packed


@pytest.mark.parametrize("form", Form)
def test_revocation_lists_stand_where_envoy_looks_for_them(form: Form) -> None:
    """The SPIFFE validator reads them among the certificates, the plain one in a member."""
    made = validation("x", [Trust(OWN, (b"list one", b"list two"))], form)
    context = envoy_tls_pb2.Secret.FromString(made.packed.value).validation_context
    lists = pem("X509 CRL", b"list one") + pem("X509 CRL", b"list two")
    certificates = pem("CERTIFICATE", b"1") + pem("CERTIFICATE", b"2")
    if form is Form.PLAIN:
        assert context.trusted_ca.inline_bytes == certificates
        assert context.crl.inline_bytes == lists
        assert not context.HasField("custom_validator_config")
        return
    config = envoy_tls_pb2.SPIFFECertValidatorConfig()
    context.custom_validator_config.typed_config.Unpack(config)
    [domain] = config.trust_domains
    assert domain.trust_bundle.inline_bytes == certificates + lists
    assert not context.HasField("crl")
    assert not context.HasField("trusted_ca")


def test_without_lists_there_is_no_word_of_them() -> None:
    """An empty list of lists would have Envoy refuse everybody."""
    made = validation("x", [Trust(OWN)], Form.PLAIN)
    context = envoy_tls_pb2.Secret.FromString(made.packed.value).validation_context
    assert not context.HasField("crl")
