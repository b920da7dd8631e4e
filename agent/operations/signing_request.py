"""Certificate signing requests, in the form that SPIRE's server knows (spire-wire 8.1)."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from finial.keys.contract import PrivateKey
from finial.spiffe.identity import SpiffeId

_SUBJECT: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SPIRE"),
    ]
)
_PLAIN: Final = x509.CertificateSigningRequestBuilder(_SUBJECT)
_SHA256: Final = hashes.SHA256()


def signing_request(key: PrivateKey, spiffe_id: SpiffeId | None = None) -> bytes:
    """Ask for a certificate of that key, in DER; an agent's own names no SPIFFE ID."""
    builder = _PLAIN
    if spiffe_id is not None:
        name = x509.UniformResourceIdentifier(str(spiffe_id))
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return builder.sign(key, _SHA256).public_bytes(serialization.Encoding.DER)


def is_of(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Whether a certificate was made for that key."""
    return certificate.public_key() == key.public_key()
