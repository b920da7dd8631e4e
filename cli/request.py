"""A new key and the certificate signing request for it."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.identity import SpiffeId


def new_request(spiffe_id: str, dns_names: Sequence[str] = ()) -> tuple[str, str]:
    """Make a P-256 key and a request for that SPIFFE ID, both in PEM: key (PKCS#8), request.

    Raises: Refusal of kind INVALID.
    """
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(str(SpiffeId.parse(spiffe_id))),
        *(x509.DNSName(name) for name in dns_names),
    ]
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        request.public_bytes(pem).decode(),
    )
