"""The keys by which a trust domain's SVIDs are recognised (Trust Domain and Bundle)."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json import jwk


@dataclass(frozen=True, slots=True)
class X509Authority:
    """One CA certificate in DER; a tainted one still verifies, but nothing new stands on it."""

    der: bytes
    tainted: bool = False

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate, read once however often it is asked for.

        Raises: Refusal of kind INVALID.
        """
        return x509_certificate.read_authority(self.der)

    @property
    def subject_key_id(self) -> str:
        """The identifier of the key in hex, which is the authority's name in SPIRE's API."""
        return x509_certificate.subject_key_id(self.certificate)

    @property
    def not_after(self) -> int:
        """The last Unix second at which the certificate is valid."""
        return x509_certificate.not_after(self.certificate)

    @property
    def public_key(self) -> CertificatePublicKeyTypes:
        """The key that signs."""
        return self.certificate.public_key()


@dataclass(frozen=True, slots=True)
class JwtAuthority:
    """One JWT signing key; `public_key` is a SubjectPublicKeyInfo in DER.

    `expires_at` is in Unix seconds, 0 meaning unknown: a published bundle does not say.
    """

    key_id: str
    public_key: bytes
    expires_at: int = 0
    tainted: bool = False

    @property
    def key(self) -> jwk.PublicKey:
        """The key itself, loaded once however often it is asked for.

        Raises: Refusal of kind INVALID.
        """
        return jwk.load_spki(self.public_key)


@dataclass(frozen=True, slots=True)
class Bundle:
    """All authorities of one trust domain; `refresh_hint` is in seconds, 0 meaning none.

    Spec: Trust Domain and Bundle sections 2 to 4 (TDB-01, TDB-03, TDB-10).
    """

    trust_domain: TrustDomain
    x509_authorities: tuple[X509Authority, ...] = ()
    jwt_authorities: tuple[JwtAuthority, ...] = ()
    sequence: int = 0
    refresh_hint: int = 0

    @property
    def x509_der(self) -> bytes:
        """The CA certificates one after another, as the Workload API carries them (WAPI-23)."""
        return b"".join(authority.der for authority in self.x509_authorities)

    def jwt_authority(self, key_id: str) -> JwtAuthority | None:
        """Find a JWT key by its `kid`, an opaque text that is compared exactly."""
        for authority in self.jwt_authorities:
            if authority.key_id == key_id:
                return authority
        return None
