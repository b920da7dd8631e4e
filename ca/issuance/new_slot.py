"""The slot of a new authority, prepared and not signing yet."""

from cryptography.hazmat.primitives import serialization

from ca.authority.slot import Phase, Slot, Use
from ca.issuance.profile import Profiles
from ca.issuance.public_key import PublicKey
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.validity import Validity


def x509_slot(certificate: bytes, key_id: str, chain: tuple[bytes, ...] = ()) -> Slot:
    """The slot of a CA certificate in DER; its ID is the subject key ID in hex (BX-13).

    `chain` leads from it to an upstream root, which is left out.

    Raises: Refusal of kind INVALID when the certificate cannot be read.
    """
    authority = x509_certificate.read(certificate)
    return Slot(
        use=Use.X509,
        phase=Phase.PREPARED,
        authority_id=x509_certificate.subject_key_id(authority),
        key_id=key_id,
        document=certificate,
        not_before=x509_certificate.not_before(authority),
        not_after=x509_certificate.not_after(authority),
        chain=chain,
    )


def jwt_slot(
    profiles: Profiles, *, authority_id: str, key_id: str, public_key: PublicKey, now: float
) -> Slot:
    """The slot of a JWT key; it lives as long as a CA (BJ-01), and its ID is the `kid` (BJ-02)."""
    validity = Validity.starting(now, profiles.ca_ttl, cap=int(now) + profiles.ca_ttl)
    return Slot(
        use=Use.JWT,
        phase=Phase.PREPARED,
        authority_id=authority_id,
        key_id=key_id,
        document=public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        not_before=validity.not_before,
        not_after=validity.not_after,
    )
