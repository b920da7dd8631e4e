"""Real authorities and requests, made once for all tests that sign."""

from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ca.authority.slot import Slot
from ca.issuance.conformance import conform
from ca.issuance.draft import draft_authority
from ca.issuance.issuer import Issuer
from ca.issuance.new_slot import jwt_slot, x509_slot
from ca.issuance.profile import SVID_SUBJECT, Profiles
from ca.issuance.seal import PrivateKey, SigningAuthority, seal_authority
from tests.doubles.clock import NOW
from tests.doubles.entries import DOMAIN

PROFILES = Profiles(trust_domain=DOMAIN)
KEY_TYPES = ("ec-p256", "ec-p384", "ec-p521", "rsa-2048")
EMPTY = x509.Name([])


@cache
def private_key(kind: str = "ec-p256") -> PrivateKey:
    """One key of each kind; the same for the whole run."""
    if kind == "rsa-2048":
        return rsa.generate_private_key(65537, 2048)
    curves = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


@cache
def x509_authority(
    kind: str = "ec-p256", now: float = NOW, ca_ttl: int = 86_400
) -> SigningAuthority:
    """A CA of ours that signs itself."""
    key = private_key(kind)
    profiles = Profiles(trust_domain=DOMAIN, ca_ttl=ca_ttl)
    draft = draft_authority(profiles, public_key=key.public_key(), serial=7, now=now)
    return SigningAuthority(x509_slot(seal_authority(conform(draft), key), "k"), key)


@cache
def issuer(kind: str = "ec-p256", now: float = NOW, ca_ttl: int = 86_400) -> Issuer:
    """The public part of that CA."""
    return Issuer.of(x509_authority(kind, now, ca_ttl).slot, DOMAIN)


@cache
def jwt_authority(kind: str = "ec-p256", now: float = NOW) -> SigningAuthority:
    """A JWT key of ours."""
    key = private_key(kind)
    slot: Slot = jwt_slot(
        PROFILES, authority_id="kid-1", key_id="k", public_key=key.public_key(), now=now
    )
    return SigningAuthority(slot, key)


def csr(
    key: PrivateKey | ed25519.Ed25519PrivateKey | None = None,
    *,
    names: Sequence[x509.GeneralName] | None = None,
    subject: x509.Name = SVID_SUBJECT,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A request as an agent makes it, or with alternative names as for minting."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signer = key or private_key()
    chosen = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    return builder.sign(signer, chosen).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)
