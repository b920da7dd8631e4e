"""Reading certificates without ever failing in an unforeseen way."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import SmallCa, new_key

CA = SmallCa()


def bare_with(*extensions: x509.ExtensionType) -> x509.Certificate:
    key = new_key()
    builder = x509.CertificateBuilder(
        issuer_name=CA.certificate.subject,
        subject_name=CA.certificate.subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=CA.certificate.not_valid_before_utc,
        not_valid_after=CA.certificate.not_valid_after_utc,
    )
    for extension in (x509.BasicConstraints(False, None), *extensions):
        builder = builder.add_extension(extension, False)
    return builder.sign(key, hashes.SHA256())


def test_key_identifiers_are_read_in_hex() -> None:
    """A certificate names its own key and its issuer's in hex, as SPIRE names authorities."""
    leaf = CA.workload().certificate
    assert x509_certificate.authority_key_id(leaf) == x509_certificate.subject_key_id(
        CA.certificate
    )


def test_the_identifier_that_a_certificate_says_counts() -> None:
    """A key identifier that is not the hash of the key is taken as it stands."""
    own = x509.SubjectKeyIdentifier(b"\x01\x02")
    assert x509_certificate.subject_key_id(bare_with(own)) == "0102"


def test_a_certificate_without_identifiers_still_has_a_key() -> None:
    """Without an extension the key's identifier is the hash of the key, and the issuer's is empty."""
    bare = bare_with()
    assert x509_certificate.authority_key_id(bare) == ""
    made = x509.SubjectKeyIdentifier.from_public_key(bare.public_key())
    assert x509_certificate.subject_key_id(bare) == made.digest.hex()


def test_an_issuer_may_be_named_without_its_key() -> None:
    """An authorityKeyIdentifier that names a serial number alone gives an empty identifier."""
    identifier = x509.AuthorityKeyIdentifier(None, [x509.DNSName("a.test")], 7)
    assert x509_certificate.authority_key_id(bare_with(identifier)) == ""


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30\x00", b"\x30" * 65_536, CA.der + b"\x00", CA.pem],
    ids=["nothing", "noise", "much noise", "a byte more", "PEM"],
)
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    """X509-26: nothing, noise, too much, trailing bytes and PEM are no DER certificate."""
    with pytest.raises(Refusal, match="cannot be read"):
        x509_certificate.read(der)


def test_a_certificate_is_bounded() -> None:
    """X509-26: a certificate of more than 64 KiB is refused before it is read."""
    with pytest.raises(Refusal, match="longer than 65536 bytes"):
        x509_certificate.read(bytes(65_537))


def test_an_unknown_curve_is_refused_as_a_whole() -> None:
    """X509-26: a certificate whose key cannot be read is refused when it is read, not later."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = CA.workload(key=key).der
    # The object identifier of P-256 becomes one that names no curve.
    damaged = leaf.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177"))
    assert damaged != leaf
    with pytest.raises(Refusal):
        x509_certificate.read(damaged)
