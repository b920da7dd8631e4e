"""Drafts: everything that will be signed, as values, before a key is near."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.authority.slot import Slot
from ca.issuance import der
from ca.issuance.extension import Extension
from ca.issuance.issuer import Issuer
from ca.issuance.profile import Profiles, Role, leaf_subject
from ca.issuance.public_key import PublicKey, encode_public_key
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.validity import Validity

MAX_AUDIENCES: Final = 64
MAX_AUDIENCE_BYTES: Final = 2048

# What is left of its issuer's life has to be of use: a tenth of what is issued or a twentieth of
# the issuer's own life, whichever is less, and 10 seconds at most.
_MOST_LEAST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDraft:
    """A certificate that is not signed yet; `issuer` is None when it will sign itself.

    `role` is None for an authority. `public_key_info` is the public key as SubjectPublicKeyInfo in
    DER. Times are Unix seconds, both ends included.
    """

    role: Role | None
    issuer: Issuer | None
    spiffe_id: SpiffeId
    issuer_name: x509.Name
    subject: x509.Name
    public_key: PublicKey
    public_key_info: bytes
    serial: int
    not_before: int
    not_after: int
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """A JWT-SVID that is not signed yet; times are Unix seconds.

    `authority_id` and `authority_not_after` say which key will sign it, and until when.
    """

    authority_id: str
    authority_not_after: int
    spiffe_id: SpiffeId
    audience: tuple[str, ...]
    issued_at: int
    expires_at: int
    jti: str
    issuer: str = ""

    def claims(self) -> dict[str, object]:
        """The claims in the order in which they are written."""
        claims: dict[str, object] = {
            "sub": str(self.spiffe_id),
            "aud": self.audience,
            "exp": self.expires_at,
            "iat": self.issued_at,
            "jti": self.jti,
        }
        return {**claims, "iss": self.issuer} if self.issuer else claims


def draft_leaf(
    profiles: Profiles,
    role: Role,
    issuer: Issuer,
    *,
    spiffe_id: SpiffeId,
    public_key: PublicKey,
    serial: int,
    now: float,
    ttl: int = 0,
    dns_names: tuple[str, ...] = (),
    subject: x509.Name | None = None,
) -> CertificateDraft:
    """Draft an X509-SVID that ends with its issuer at the latest.

    `ttl` is in seconds, 0 for the role's default. `subject` replaces the usual one.

    Raises: Refusal of kind UNAVAILABLE when the issuer ends too soon for it to be of use, INVALID
        for a negative lifetime.
    Spec: spire-features 7.2; X509-SVID sections 2 to 4 (X509-01, X509-06, X509-13, X509-20 to 24).
    """
    chosen = leaf_subject(dns_names) if subject is None else subject
    lifetime = profiles.x509_lifetime(role, ttl)
    validity = _validity(lifetime, issuer.not_before, issuer.not_after, now)
    public_key_info = encode_public_key(public_key)
    return CertificateDraft(
        role=role,
        issuer=issuer,
        spiffe_id=spiffe_id,
        issuer_name=issuer.name,
        subject=chosen,
        public_key=public_key,
        public_key_info=public_key_info,
        serial=serial,
        not_before=max(validity.not_before, issuer.not_before),
        not_after=validity.not_after,
        extensions=(
            *_LEAF_EXTENSIONS,
            _subject_key_id(public_key_info),
            issuer.key_id,
            _names(spiffe_id, dns_names, critical=not list(chosen)),
        ),
    )


def draft_authority(
    profiles: Profiles, *, public_key: PublicKey, serial: int, now: float
) -> CertificateDraft:
    """Draft a CA certificate that signs itself.

    Spec: spire-features 7.1; X509-SVID sections 3.2 and 4 (X509-08, X509-09, X509-16 to X509-19).
    """
    validity = Validity.starting(now, profiles.ca_ttl, cap=int(now) + profiles.ca_ttl)
    subject = profiles.authority_subject(serial)
    spiffe_id = profiles.trust_domain.id
    public_key_info = encode_public_key(public_key)
    return CertificateDraft(
        role=None,
        issuer=None,
        spiffe_id=spiffe_id,
        issuer_name=subject,
        subject=subject,
        public_key=public_key,
        public_key_info=public_key_info,
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
        extensions=(
            *_AUTHORITY_EXTENSIONS,
            _subject_key_id(public_key_info),
            _names(spiffe_id, (), critical=False),
        ),
    )


def draft_token(
    profiles: Profiles,
    authority: Slot,
    *,
    spiffe_id: SpiffeId,
    audience: Sequence[str],
    jti: str,
    now: float,
    ttl: int = 0,
) -> TokenDraft:
    """Draft a JWT-SVID that ends with its key at the latest.

    `ttl` is in seconds, 0 for the default. Empty audiences are dropped and repeated ones written
    once; at least one is left, of at most 64, each of at most 2048 bytes.

    Raises: Refusal of kind INVALID (audience, lifetime), UNAVAILABLE when the key ends too soon.
    Spec: JWT-SVID section 3 (JWT-09, JWT-10, JWT-14, JWT-16); spire-features 7.3.
    """
    lifetime = profiles.jwt_lifetime(ttl)
    validity = _validity(lifetime, authority.not_before, authority.not_after, now)
    return TokenDraft(
        authority_id=authority.authority_id,
        authority_not_after=authority.not_after,
        spiffe_id=spiffe_id,
        audience=judge_audience(audience),
        issued_at=int(now),
        expires_at=validity.not_after,
        jti=jti,
        issuer=profiles.jwt_issuer,
    )


def judge_audience(audience: Sequence[str]) -> tuple[str, ...]:
    """Drop empty and repeated audiences; at least one is left (JWT-10).

    Raises: Refusal of kind INVALID.
    """
    judged = tuple(dict.fromkeys(each for each in audience if each))
    if not judged:
        fault, remedy = "at least one audience is required", "say who is to accept the token"
    elif len(judged) > MAX_AUDIENCES:
        fault, remedy = "a token has at most 64 audiences", "ask for one token for each"
    elif not all(map(_is_short_text, judged)):
        fault, remedy = "an audience is text of at most 2048 bytes", "choose a shorter one"
    else:
        return judged
    raise Refusal(Kind.INVALID, fault, field="audience", remedy=remedy)


def _is_short_text(audience: str) -> bool:
    try:
        return len(audience.encode()) <= MAX_AUDIENCE_BYTES
    except UnicodeEncodeError:  # half a character, which JSON can spell and UTF-8 cannot
        return False


def _validity(lifetime: int, issuer_begins: int, issuer_ends: int, now: float) -> Validity:
    useful = min(lifetime // 10, (issuer_ends - issuer_begins) // 20, _MOST_LEAST)
    return Validity.starting(now, lifetime, cap=issuer_ends, least=max(useful, 1))


def _usage(*bits: str) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


def _subject_key_id(public_key_info: bytes) -> Extension:
    # RFC 5280 section 4.2.1.2, the first method: SHA-1 of the bits of the key.
    algorithm_and_bits = der.content_of(public_key_info)
    bits = der.content_of(algorithm_and_bits[2 + algorithm_and_bits[1] :])[1:]
    digest = hashlib.sha1(bits, usedforsecurity=False).digest()
    return Extension(x509.SubjectKeyIdentifier(digest))


def _names(spiffe_id: SpiffeId, dns_names: tuple[str, ...], *, critical: bool) -> Extension:
    uri = x509.UniformResourceIdentifier(str(spiffe_id))
    names = x509.SubjectAlternativeName([uri, *map(x509.DNSName, dns_names)])
    return Extension(names, critical)


# Made once: making them anew for each certificate costs as much as signing it.
_LEAF_EXTENSIONS: Final = (
    Extension(_usage("digital_signature"), critical=True),
    Extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    ),
    Extension(x509.BasicConstraints(False, None), critical=True),
)
_AUTHORITY_EXTENSIONS: Final = (
    Extension(_usage("key_cert_sign", "crl_sign"), critical=True),
    Extension(x509.BasicConstraints(True, None), critical=True),
)
