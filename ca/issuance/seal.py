"""The one place where a key signs, and where nothing is left to decide."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ca.authority.slot import Slot, Use
from ca.issuance.conformance import ConformingCertificate, ConformingToken
from finial.spiffe.refusal import Kind, Refusal

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DER: Final = serialization.Encoding.DER
_ALGORITHMS: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "RS256": hashes.SHA256(),
}


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    """An authority with its private key, which is never shown.

    Raises: Refusal of kind INTERNAL when the key is not the slot's.
    """

    slot: Slot
    private_key: PrivateKey = field(repr=False)
    algorithm: str = field(init=False)
    header: bytes = field(init=False)

    def __post_init__(self) -> None:
        if _spki(self.private_key.public_key()) != _certified(self.slot):
            raise Refusal(Kind.INTERNAL, "the key is not the one of the authority")
        algorithm = algorithm_of(self.private_key)
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "header", _header(algorithm, self.slot.authority_id))


def algorithm_of(key: PrivateKey) -> str:
    """The JOSE name of what the key signs by (JWT-05); certificates use the same digest.

    Raises: Refusal of kind INTERNAL for a curve that JOSE does not know.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    algorithm = _ALGORITHMS.get(key.curve.name)
    if algorithm is None:
        raise Refusal(Kind.INTERNAL, f"no authority has a key on the curve {key.curve.name}")
    return algorithm


def seal_certificate(draft: ConformingCertificate, issuer: SigningAuthority) -> bytes:
    """Sign a leaf with its issuer's key and return it in DER.

    Raises: Refusal of kind INTERNAL when it was drafted for another issuer, or when what came out
        is not what was drafted.
    """
    if draft.issuer is None or draft.issuer.authority_id != issuer.slot.authority_id:
        raise _wrong("the certificate was drafted for another issuer")
    return _sign(draft, issuer.private_key, _HASHES[issuer.algorithm])


def seal_authority(draft: ConformingCertificate, private_key: PrivateKey) -> bytes:
    """Let a CA certificate sign itself and return it in DER.

    Raises: Refusal of kind INTERNAL when it was drafted for another key, or when what came out is
        not what was drafted.
    """
    if draft.issuer is not None or _spki(draft.public_key) != _spki(private_key.public_key()):
        raise _wrong("the certificate was drafted for another key")
    return _sign(draft, private_key, _HASHES[algorithm_of(private_key)])


def seal_token(draft: ConformingToken, authority: SigningAuthority) -> str:
    """Sign a JWT-SVID and return it in JWS compact serialization.

    Raises: Refusal of kind INTERNAL when it was drafted for another key.
    Spec: JWT-SVID sections 1 and 2 (JWT-01, JWT-02, JWT-04, JWT-05, JWT-07, JWT-08).
    """
    if authority.slot.use is not Use.JWT or draft.authority_id != authority.slot.authority_id:
        raise _wrong("the token was drafted for another key")
    signed = authority.header + b"." + _encode(msgspec.json.encode(draft.claims()))
    signature = _jws(authority.private_key, _HASHES[authority.algorithm], signed)
    return (signed + b"." + _encode(signature)).decode("ascii")


def _sign(draft: ConformingCertificate, key: PrivateKey, digest: hashes.HashAlgorithm) -> bytes:
    # One call: setting the fields one by one copies the builder each time.
    builder = x509.CertificateBuilder(
        issuer_name=draft.issuer_name,
        subject_name=draft.subject,
        public_key=draft.public_key,
        serial_number=draft.serial,
        not_valid_before=_instant(draft.not_before),
        not_valid_after=_instant(draft.not_after),
        extensions=list(draft.extensions),
    )
    certificate = builder.sign(key, cast("Any", digest))
    _compare(certificate, draft)
    return certificate.public_bytes(_DER)


def _compare(certificate: x509.Certificate, draft: ConformingCertificate) -> None:
    """Read back what was signed: it is what was judged, nothing more and nothing less."""
    same = (
        certificate.version is x509.Version.v3
        and certificate.serial_number == draft.serial
        and certificate.not_valid_before_utc == _instant(draft.not_before)
        and certificate.not_valid_after_utc == _instant(draft.not_after)
        and certificate.issuer == draft.issuer_name
        and certificate.subject == draft.subject
        and certificate.public_key() == draft.public_key
        and tuple(certificate.extensions) == draft.extensions
    )
    if not same:
        raise _wrong("the certificate that was signed is not the one that was drafted")


def _jws(key: PrivateKey, digest: hashes.HashAlgorithm, signed: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), digest)
    # RFC 7518 section 3.4: both numbers at their full width, one after the other.
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
    width = (key.curve.key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def _certified(slot: Slot) -> bytes:
    if slot.use is Use.JWT:
        return slot.document
    return _spki(x509.load_der_x509_certificate(slot.document).public_key())


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _header(algorithm: str, key_id: str) -> bytes:
    return _encode(msgspec.json.encode({"alg": algorithm, "kid": key_id, "typ": "JWT"}))


def _encode(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _wrong(fault: str) -> Refusal:
    return Refusal(Kind.INTERNAL, fault)
