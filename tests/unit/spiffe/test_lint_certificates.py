"""The offline inspection of certificates and chains."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from finial.spiffe.bundle_document import render_pem
from finial.spiffe.lint import DocumentKind, Severity, lint
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import SmallCa, key_usage, name
from tests.doubles.clock import NOW
from tests.spec.forge import forge_leaf
from tests.unit.spiffe.inspected import BUNDLE, CA, KEY, ids

GOOD: dict[str, Any] = {}


def leaf(**vector: Any) -> bytes:
    return forge_leaf(CA, vector).der


def authority(*extensions: tuple[x509.ExtensionType, bool], **changes: Any) -> bytes:
    constraints = (x509.BasicConstraints(ca=True, path_length=None), True)
    return CA.sign(extensions=[constraints, *extensions], subject=name("ca"), **changes).der


def san(*uris: str, critical: bool = False) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris]), critical


def test_a_good_leaf_has_no_findings() -> None:
    """X509-01, X509-05: a leaf as the standard wants it is described, and nothing is found wrong with it."""
    signed = forge_leaf(CA, GOOD, serial=255)
    for document in (signed.der, signed.chain_pem, b"\n\n" + signed.chain_pem):
        found = lint(document, NOW)
        assert found.kind is DocumentKind.LEAF
        assert found.findings == ()
        assert found.flawless
        fields = dict(found.fields)
        assert fields["URI"] == "spiffe://example.org/web"
        assert fields["serial number"] == "ff"
        assert fields["not after"] == "2027-01-15T09:00:00Z"
        assert fields["public key"] == "EC secp256r1"
        assert fields["key usage"] == "digital_signature"


@pytest.mark.parametrize(
    ("vector", "row"),
    [
        ({"uris": []}, "X509-01"),
        ({"uris": ["spiffe://a.test/b", "spiffe://a.test/c"]}, "X509-01"),
        ({"uris": ["https://a.test/b"]}, "X509-29"),
        ({"uris": ["spiffe://a.test"]}, "X509-30"),
        ({"uris": ["spiffe://a.test/"]}, "X509-31"),
        ({"ca": None}, "X509-13"),
        ({"usage": None}, "X509-16"),
        ({"critical": False}, "X509-16"),
        ({"usage": ["key_agreement"]}, "X509-20"),
        ({"usage": ["digital_signature", "crl_sign"]}, "X509-22"),
        ({"usage": ["digital_signature", "key_cert_sign"]}, "X509-22"),
        ({"purposes": ["client"]}, "X509-24"),
    ],
)
def test_a_broken_rule_of_a_leaf_is_an_error(vector: dict[str, Any], row: str) -> None:
    """X509-01, X509-13, X509-16, X509-20, X509-22, X509-24, X509-29, X509-30, X509-31: each is found and named."""
    found = lint(leaf(**vector))
    assert row in ids(found, Severity.ERROR)
    assert not found.flawless


def test_what_is_merely_unwise_in_a_leaf_is_no_error() -> None:
    """X509-21, X509-23, X509-06: further key usages, no extKeyUsage and a needlessly critical SAN are told, not condemned."""
    more = lint(leaf(usage=["digital_signature", "key_encipherment"]))
    assert ids(more) == {"X509-21"}
    none = lint(leaf(purposes=None))
    assert ids(none, Severity.WARNING) == {"X509-23"}
    extensions = [
        san("spiffe://example.org/web", critical=True),
        (x509.BasicConstraints(False, None), True),
        (key_usage("digital_signature"), True),
    ]
    assert "X509-06" in ids(lint(CA.sign(extensions=extensions).der), Severity.NOTE)
    assert lint(leaf(subject="empty")).flawless


def test_an_empty_subject_needs_a_critical_name() -> None:
    """X509-06: with an empty subject and a SAN that is not critical a leaf is in error."""
    signed = CA.sign(extensions=[san("spiffe://example.org/web")], subject=x509.Name([]))
    assert "X509-06" in ids(lint(signed.der), Severity.ERROR)


def test_time_is_judged_only_when_it_is_given() -> None:
    """X509-26: a certificate out of its time is an error when the time is known."""
    document = leaf()
    assert lint(document).flawless
    assert ids(lint(document, NOW + 4000)) == {"X509-26"}
    assert ids(lint(document, NOW - 4000)) == {"X509-26"}


def test_other_names_are_shown_without_control_characters() -> None:
    """X509-03: what a stranger wrote into a certificate cannot steer the terminal it is shown on."""
    signed = forge_leaf(CA, {"dns": ["a.test", "b.test"]}, subject=name("\x1b[2Jevil"))
    fields = dict(lint(signed.der).fields)
    assert fields["DNS names"] == "a.test, b.test"
    assert "\\x1b[2Jevil" in fields["subject"]


def test_a_good_authority_has_no_findings() -> None:
    """X509-07, X509-10: a root as the standard wants it has no findings."""
    found = lint(CA.der, NOW)
    assert (found.kind, found.findings) == (DocumentKind.AUTHORITY, ())


@pytest.mark.parametrize(
    ("extensions", "row", "severity"),
    [
        ([(key_usage("key_cert_sign"), True)], "X509-08", Severity.WARNING),
        ([san("spiffe://example.org/ca")], "X509-09", Severity.ERROR),
        ([san("spiffe://a.test", "spiffe://b.test")], "X509-01", Severity.ERROR),
        ([san("spiffe://Example.org")], "X509-31", Severity.ERROR),
        ([san("spiffe://example.org/")], "ID-14", Severity.WARNING),
        ([san("https://example.org/")], "X509-16", Severity.ERROR),
        ([(key_usage("crl_sign"), True)], "X509-17", Severity.ERROR),
        ([(key_usage("key_cert_sign", "digital_signature"), True)], "X509-19", Severity.WARNING),
        (
            [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
            "X509-25",
            Severity.NOTE,
        ),
        ([(x509.NameConstraints([x509.DNSName("a")], None), True)], "X509-15", Severity.NOTE),
    ],
    ids=str,
)
def test_a_broken_rule_of_an_authority_is_found(
    extensions: Any, row: str, severity: Severity
) -> None:
    """X509-08, X509-09, X509-15, X509-16, X509-17, X509-18, X509-19, X509-25: each is found, as bad as it is."""
    assert row in ids(lint(authority(*extensions)), severity)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_form_is_judged_too() -> None:
    """X509-26: a serial number of zero, a short RSA key and an empty issuer are found."""
    zero = forge_leaf(CA, GOOD, serial=1).der.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    assert ids(lint(zero), Severity.ERROR) == {"X509-26"}
    weak = rsa.generate_private_key(65537, 1024)
    assert ids(lint(forge_leaf(CA, GOOD, key=weak).der), Severity.WARNING) == {"X509-26"}
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([]),
        subject_name=x509.Name([]),
        public_key=KEY.public_key(),
        serial_number=1,
        not_valid_before=CA.certificate.not_valid_before_utc,
        not_valid_after=CA.certificate.not_valid_after_utc,
    )
    signed = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert "X509-26" in ids(lint(signed), Severity.ERROR)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA 2048 bits"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
    ],
    ids=["RSA", "Ed25519"],
)
def test_other_keys_are_named(key: Any, words: str) -> None:
    """X509-20: the type and size of a public key are told."""
    assert dict(lint(forge_leaf(CA, GOOD, key=key).der).fields)["public key"] == words


def test_a_chain_is_judged_link_by_link() -> None:
    """WAPI-21, X509-26: a chain has its leaf first, and each certificate is signed by the next."""
    signed = forge_leaf(CA.intermediate(), GOOD)
    chain = b"".join(signed.chain)
    good = lint(chain)
    assert (good.kind, good.findings, len(good.parts)) == (DocumentKind.CHAIN, (), 2)
    assert [part.name for part in good.parts] == ["certificate 1", "certificate 2"]
    assert ids(lint(chain + CA.der), Severity.NOTE) == {"WAPI-21"}
    assert ids(lint(signed.der + SmallCa().der), Severity.ERROR) == {"X509-26"}
    assert ids(lint(CA.der + signed.der), Severity.ERROR) == {"WAPI-21", "X509-13", "X509-26"}


def test_findings_name_their_part() -> None:
    """WAPI-21: a finding inside a chain is told together with the certificate it is about."""
    found = lint(leaf(usage=None) + CA.der)
    assert ("certificate 1", "X509-SVID section 4.3 (X509-16)") in [
        (part, finding.clause) for part, finding in found.all_findings()
    ]


def test_several_roots_are_no_chain() -> None:
    """X509-39: roots in one PEM file need not have signed one another."""
    found = lint(render_pem(BUNDLE) + SmallCa().pem)
    assert (found.kind, list(found.all_findings())) == (DocumentKind.CHAIN, [])


def test_a_private_key_beside_a_certificate_is_not_shown() -> None:
    """X509-26: of a PEM file with a key in it the certificates alone are described."""
    signed = forge_leaf(CA, GOOD)
    found = lint(signed.key_pem + signed.chain_pem)
    assert found.kind is DocumentKind.LEAF
    assert "PRIVATE" not in repr(found)
    with pytest.raises(Refusal, match="no readable certificate"):
        lint(signed.key_pem)
