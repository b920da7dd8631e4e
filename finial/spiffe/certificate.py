"""Reading X.509 certificates from DER without ever failing in an unforeseen way."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from finial.spiffe.refusal import Kind, Refusal

MAX_CERTIFICATE_BYTES: Final = 64 * 1024

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def read(der: bytes) -> x509.Certificate:
    """Read one certificate, every field of it.

    Raises: Refusal of kind INVALID.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise _invalid(f"the certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # The library reads most fields only when they are asked for.
        _ = (certificate.extensions, certificate.subject, certificate.issuer)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        certificate.public_key()
    except _UNREADABLE as error:
        raise _invalid(f"the certificate cannot be read ({error})") from error
    return certificate


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """The extensions of a certificate that may not have been read whole yet.

    Raises: Refusal of kind INVALID.
    """
    try:
        return certificate.extensions
    except _UNREADABLE as error:
        raise _invalid(f"the certificate's extensions cannot be read ({error})") from error


@lru_cache(maxsize=512)
def read_authority(der: bytes) -> x509.Certificate:
    """Read a certificate that is asked for again and again; bundles hold few of them.

    Raises: Refusal of kind INVALID.
    """
    return read(der)


def split_der(concatenated: bytes) -> tuple[bytes, ...]:
    """Cut certificates that follow one another, as the Workload API carries them.

    The certificates are not read, only their outer lengths.

    Raises: Refusal of kind INVALID.
    Spec: Workload API section 5.1 (WAPI-21, WAPI-23).
    """
    return tuple(_cut(concatenated))


def not_before(certificate: x509.Certificate) -> int:
    """The first Unix second at which the certificate is valid."""
    return int(certificate.not_valid_before_utc.timestamp())


def not_after(certificate: x509.Certificate) -> int:
    """The last Unix second at which the certificate is valid."""
    return int(certificate.not_valid_after_utc.timestamp())


def authority_key_id(certificate: x509.Certificate) -> str:
    """The key identifier of the issuer in hex, or an empty text."""
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.AuthorityKeyIdentifier):
            return (extension.value.key_identifier or b"").hex()
    return ""


def subject_key_id(certificate: x509.Certificate) -> str:
    """The key identifier of the certificate's own key in hex, made from the key if it has none."""
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            return extension.value.digest.hex()
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()


def _cut(concatenated: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(concatenated):
        end = offset + _length(concatenated[offset : offset + 5])
        if end > len(concatenated):
            raise _invalid("the last certificate is cut short")
        yield concatenated[offset:end]
        offset = end


def _length(head: bytes) -> int:
    # A SEQUENCE with a definite length in its shortest form (X.690 section 10.1).
    if len(head) < 2 or head[0] != 0x30:
        raise _invalid("what follows is not a DER certificate")
    if head[1] < 0x80:
        return 2 + head[1]
    count = head[1] - 0x80
    length = int.from_bytes(head[2 : 2 + count], "big")
    # No more than three octets of it are here, so a longer or indefinite one differs as well.
    if length < 0x80 or count != (length.bit_length() + 7) // 8:
        raise _invalid("the length of a DER certificate is malformed")
    return 2 + count + length


def _invalid(fault: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="certificate")
