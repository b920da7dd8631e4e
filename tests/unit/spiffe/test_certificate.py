"""Reading certificates without ever failing in an unforeseen way."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import SmallCa, new_key

CA = SmallCa()


def without_identifiers() -> x509.Certificate:
    key = new_key()
    builder = x509.CertificateBuilder(
        issuer_name=CA.certificate.subject,
        subject_name=CA.certificate.subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=CA.certificate.not_valid_before_utc,
        not_valid_after=CA.certificate.not_valid_after_utc,
    )
    return builder.add_extension(x509.BasicConstraints(False, None), True).sign(
        key,
        CA.certificate.signature_hash_algorithm,  # type: ignore[arg-type]
    )


def test_key_identifiers_are_read_in_hex() -> None:
    """A certificate names its own key and its issuer's in hex, as SPIRE names authorities."""
    leaf = CA.workload().certificate
    assert x509_certificate.authority_key_id(leaf) == x509_certificate.subject_key_id(
        CA.certificate
    )


def test_a_certificate_without_identifiers_still_has_a_key() -> None:
    """Without an extension the key's identifier is the hash of the key, and the issuer's is empty."""
    bare = without_identifiers()
    assert x509_certificate.authority_key_id(bare) == ""
    made = x509.SubjectKeyIdentifier.from_public_key(bare.public_key())
    assert x509_certificate.subject_key_id(bare) == made.digest.hex()


def test_an_issuer_may_be_named_without_its_key() -> None:
    """An authorityKeyIdentifier that names a serial number alone gives an empty identifier."""
    identifier = x509.AuthorityKeyIdentifier(None, [x509.DNSName("a.test")], 7)
    builder = x509.CertificateBuilder(
        issuer_name=CA.certificate.subject,
        subject_name=CA.certificate.subject,
        public_key=CA.root.key.public_key(),
        serial_number=1,
        not_valid_before=CA.certificate.not_valid_before_utc,
        not_valid_after=CA.certificate.not_valid_after_utc,
    ).add_extension(identifier, False)
    signed = builder.sign(CA.root.key, CA.certificate.signature_hash_algorithm)  # type: ignore[arg-type]
    assert x509_certificate.authority_key_id(signed) == ""


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30" * 70_000, CA.der + b"\x00", CA.pem])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    """X509-26: nothing, noise, too much, trailing bytes and PEM are no DER certificate."""
    with pytest.raises(Refusal):
        x509_certificate.read(der)


def test_an_unknown_curve_is_refused_as_a_whole() -> None:
    """X509-26: a certificate whose key cannot be read is refused when it is read, not later."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = CA.workload(key=key).der
    # The object identifier of P-256 becomes one that names no curve.
    damaged = leaf.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177"))
    assert damaged != leaf
    with pytest.raises(Refusal):
        x509_certificate.read(damaged)
