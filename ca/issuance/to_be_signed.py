"""The bytes of a leaf certificate to which the issuer puts its name (RFC 5280 section 4.1)."""

from typing import Final

from ca.issuance import der
from ca.issuance.draft import CertificateDraft
from ca.issuance.profile import SVID_SUBJECT

_VERSION_3: Final = der.tagged(0, der.integer(2))
_SVID_SUBJECT: Final = SVID_SUBJECT.public_bytes()

SIGNATURE_ALGORITHMS: Final = {
    "ES256": der.sequence(bytes.fromhex("06082a8648ce3d040302")),
    "ES384": der.sequence(bytes.fromhex("06082a8648ce3d040303")),
    "ES512": der.sequence(bytes.fromhex("06082a8648ce3d040304")),
    "RS256": der.sequence(bytes.fromhex("06092a864886f70d01010b"), b"\x05\x00"),
}
"""Each by its JOSE name: RFC 5758 section 3.2, and RFC 4055 section 5 with its NULL."""


def to_be_signed(draft: CertificateDraft, issuer_name: bytes, algorithm: str) -> bytes:
    """Encode everything of the draft; `issuer_name` is in DER, `algorithm` its JOSE name."""
    subject = draft.subject
    return der.sequence(
        _VERSION_3,
        der.integer(draft.serial),
        SIGNATURE_ALGORITHMS[algorithm],
        issuer_name,
        der.sequence(der.instant(draft.not_before), der.instant(draft.not_after)),
        _SVID_SUBJECT if subject is SVID_SUBJECT else subject.public_bytes(),
        draft.public_key_info,
        der.tagged(3, der.sequence(*[each.encoded for each in draft.extensions])),
    )


def certificate(signed: bytes, algorithm: str, signature: bytes) -> bytes:
    """Put together what was signed, by what, and the signature."""
    return der.sequence(signed, SIGNATURE_ALGORITHMS[algorithm], der.bit_string(signature))
