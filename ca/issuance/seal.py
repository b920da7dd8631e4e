"""The one place where a key signs, and where nothing is left to decide."""

import base64
from collections.abc import Callable
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
from ca.issuance.draft import CertificateDraft
from ca.issuance.extension import Extension
from ca.issuance.revocation import CrlDraft, Revoked
from ca.issuance.to_be_signed import certificate, to_be_signed
from finial.spiffe.refusal import Kind, Refusal

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_NOT_THE_DRAFT: Final = "the certificate that was signed is not the one that was drafted"
_DER: Final = serialization.Encoding.DER
_ALGORITHMS: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_QUICK_WIDTH: Final = 32
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "RS256": hashes.SHA256(),
}


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    """An authority with its private key, which is never shown.

    `width` is that of each of the two numbers of an ECDSA signature, in bytes, and 0 for RSA.

    Raises: Refusal of kind INTERNAL when the key is not the slot's.
    """

    slot: Slot
    private_key: PrivateKey = field(repr=False)
    algorithm: str = field(init=False)
    header: bytes = field(init=False, repr=False)
    name: bytes = field(init=False, repr=False)
    sign: Callable[[bytes], bytes] = field(init=False, repr=False, compare=False)
    width: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        public_key, name = _certified(self.slot)
        if _info(self.private_key.public_key()) != public_key:
            raise _wrong("the key is not the one of the authority")
        algorithm = algorithm_of(self.private_key)
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "header", _header(algorithm, self.slot.authority_id))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "sign", _signer(self.private_key, algorithm))
        object.__setattr__(self, "width", _width(self.private_key))

    @property
    def is_quick(self) -> bool:
        """Whether it signs faster than a thread is told to."""
        return self.width == _QUICK_WIDTH


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
    signed = to_be_signed(draft, issuer.name, issuer.algorithm)
    sealed = certificate(signed, issuer.algorithm, issuer.sign(signed))
    compare_bytes(sealed, draft, signed)
    return sealed


def seal_authority(draft: ConformingCertificate, private_key: PrivateKey) -> bytes:
    """Let a CA certificate sign itself and return it in DER.

    Raises: Refusal of kind INTERNAL when it was drafted for another key, or when what came out is
        not what was drafted.
    """
    if draft.issuer is not None or draft.public_key_info != _info(private_key.public_key()):
        raise _wrong("the certificate was drafted for another key")
    builder = x509.CertificateBuilder(
        issuer_name=draft.issuer_name,
        subject_name=draft.subject,
        public_key=draft.public_key,
        serial_number=draft.serial,
        not_valid_before=_instant(draft.not_before),
        not_valid_after=_instant(draft.not_after),
        extensions=[
            x509.Extension(each.oid, each.critical, each.value) for each in draft.extensions
        ],
    )
    digest = _HASHES[algorithm_of(private_key)]
    sealed = builder.sign(private_key, cast("Any", digest)).public_bytes(_DER)
    compare(sealed, draft)
    return sealed


def seal_token(draft: ConformingToken, authority: SigningAuthority) -> str:
    """Sign a JWT-SVID and return it in JWS compact serialization.

    Raises: Refusal of kind INTERNAL when it was drafted for another key.
    Spec: JWT-SVID sections 1 and 2 (JWT-01, JWT-02, JWT-04, JWT-05, JWT-07, JWT-08).
    """
    if authority.slot.use is not Use.JWT or draft.authority_id != authority.slot.authority_id:
        raise _wrong("the token was drafted for another key")
    signed = authority.header + b"." + _encode(msgspec.json.encode(draft.claims()))
    return (signed + b"." + _encode(_jws(authority, signed))).decode("ascii")


def seal_crl(draft: CrlDraft, authority: SigningAuthority) -> bytes:
    """Sign a revocation list with its authority's key and return it in DER.

    Raises: Refusal of kind INTERNAL when it was drafted for another authority, or when what came
        out is not what was drafted.
    Spec: RFC 5280 sections 5.1.2, 5.2.1, 5.2.3.
    """
    if draft.issuer.authority_id != authority.slot.authority_id:
        raise _wrong("the revocation list was drafted for another authority")
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=draft.issuer.name,
        last_update=_instant(draft.this_update),
        next_update=_instant(draft.next_update),
        revoked_certificates=[_revoked(each) for each in draft.revoked],
    )
    builder = builder.add_extension(draft.issuer.key_id.value, critical=False)
    builder = builder.add_extension(x509.CRLNumber(draft.number), critical=False)
    digest = _HASHES[authority.algorithm]
    sealed = builder.sign(authority.private_key, cast("Any", digest)).public_bytes(_DER)
    _compare_crl(sealed, draft)
    return sealed


def compare(sealed: bytes, draft: CertificateDraft) -> None:
    """Read back what was signed: it is what was judged, nothing more and nothing less.

    Raises: Refusal of kind INTERNAL.
    """
    read = x509.load_der_x509_certificate(sealed)
    extensions = tuple(Extension(each.value, each.critical) for each in read.extensions)
    same = (
        read.version is x509.Version.v3
        and read.serial_number == draft.serial
        and read.not_valid_before_utc == _instant(draft.not_before)
        and read.not_valid_after_utc == _instant(draft.not_after)
        and read.issuer == draft.issuer_name
        and read.subject == draft.subject
        and read.public_key() == draft.public_key
        and extensions == draft.extensions
    )
    if not same:
        raise _wrong(_NOT_THE_DRAFT)


def compare_bytes(sealed: bytes, draft: CertificateDraft, signed: bytes) -> None:
    """Read back a leaf: a strict reader takes it apart, and finds the bytes that were to be signed.

    These are the draft's by construction, so that reading every extension once more, which costs
    more than to sign, would find nothing new.

    Raises: Refusal of kind INTERNAL.
    """
    read = x509.load_der_x509_certificate(sealed)
    same = (
        read.tbs_certificate_bytes == signed
        and read.serial_number == draft.serial
        and read.not_valid_after_utc == _instant(draft.not_after)
    )
    if not same:
        raise _wrong(_NOT_THE_DRAFT)


def _revoked(each: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(each.serial, _instant(each.since))
    return builder.build()


def _compare_crl(sealed: bytes, draft: CrlDraft) -> None:
    read = x509.load_der_x509_crl(sealed)
    same = (
        read.issuer == draft.issuer.name
        and read.last_update_utc == _instant(draft.this_update)
        and read.next_update_utc == _instant(draft.next_update)
        and [each.serial_number for each in read] == [each.serial for each in draft.revoked]
    )
    if not same:
        raise _wrong("the revocation list that was signed is not the one that was drafted")


def _signer(key: PrivateKey, algorithm: str) -> Callable[[bytes], bytes]:
    # Made once: to find out what kind of key it is, each time, costs a tenth of a signature.
    digest = _HASHES[algorithm]
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda signed: key.sign(signed, padding.PKCS1v15(), digest)
    ecdsa = ec.ECDSA(digest)
    return lambda signed: key.sign(signed, ecdsa)


def _width(key: PrivateKey) -> int:
    return 0 if isinstance(key, rsa.RSAPrivateKey) else (key.curve.key_size + 7) // 8


def _jws(authority: SigningAuthority, signed: bytes) -> bytes:
    signature, width = authority.sign(signed), authority.width
    if not width:
        return signature
    # RFC 7518 section 3.4: both numbers at their full width, one after the other.
    r, s = decode_dss_signature(signature)
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def _certified(slot: Slot) -> tuple[bytes, bytes]:
    """The public key of a slot, and its name as an issuer, both in DER; a JWT key has no name."""
    if slot.use is Use.JWT:
        return slot.document, b""
    own = x509.load_der_x509_certificate(slot.document)
    return _info(own.public_key()), own.subject.public_bytes()


def _info(key: Any) -> bytes:
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
