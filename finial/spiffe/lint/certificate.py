"""Inspecting one certificate by the issuer's rules of X509-SVID."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.identity import SpiffeId
from finial.spiffe.lint.inspection import (
    DocumentKind,
    Finding,
    Inspection,
    error,
    note,
    shown,
    utc,
    warning,
)
from finial.spiffe.refusal import Refusal

_T = TypeVar("_T", bound=x509.ExtensionType)

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A certificate with the extensions that the rules speak of, each with its criticality."""

    certificate: x509.Certificate
    constraints: x509.Extension[x509.BasicConstraints] | None
    usage: x509.Extension[x509.KeyUsage] | None
    purposes: x509.Extension[x509.ExtendedKeyUsage] | None
    names: x509.Extension[x509.SubjectAlternativeName] | None

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        found = certificate.extensions
        return cls(
            certificate,
            _extension(found, x509.BasicConstraints),
            _extension(found, x509.KeyUsage),
            _extension(found, x509.ExtendedKeyUsage),
            _extension(found, x509.SubjectAlternativeName),
        )

    @property
    def is_authority(self) -> bool:
        return self.constraints is not None and self.constraints.value.ca

    @property
    def uris(self) -> list[str]:
        if self.names is None:
            return []
        return self.names.value.get_values_for_type(x509.UniformResourceIdentifier)

    @property
    def usages(self) -> list[str]:
        if self.usage is None:
            return []
        return [usage for usage in _USAGES if getattr(self.usage.value, usage)]


def lint_certificate(
    certificate: x509.Certificate, now: float | None, name: str = ""
) -> Inspection:
    """Inspect a certificate as a leaf or as a signing certificate, by what its cA says."""
    opened = _Opened.of(certificate)
    judge = _judge_authority if opened.is_authority else _judge_leaf
    kind = DocumentKind.AUTHORITY if opened.is_authority else DocumentKind.LEAF
    findings = (
        *_judge_names(opened),
        *_judge_usage(opened),
        *judge(opened),
        *_judge_form(certificate),
        *_judge_time(certificate, now),
    )
    return Inspection(
        kind, tuple((what, shown(text)) for what, text in _fields(opened)), findings, name=name
    )


def describe_key(key: object) -> str:
    """Name a public key's type and size, such as `EC secp256r1`."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size} bits"
    return type(key).__name__.removesuffix("PublicKey")


def _fields(opened: _Opened) -> Iterator[tuple[str, str]]:
    certificate = opened.certificate
    yield "URI", ", ".join(opened.uris)
    if opened.names is not None:
        yield "DNS names", ", ".join(opened.names.value.get_values_for_type(x509.DNSName))
    yield "subject", certificate.subject.rfc4514_string()
    yield "issuer", certificate.issuer.rfc4514_string()
    yield "serial number", f"{certificate.serial_number:x}"
    yield "not before", utc(x509_certificate.not_before(certificate))
    yield "not after", utc(x509_certificate.not_after(certificate))
    yield "public key", describe_key(certificate.public_key())
    yield "key usage", ", ".join(opened.usages)
    yield "subject key id", x509_certificate.subject_key_id(certificate)
    yield "authority key id", x509_certificate.authority_key_id(certificate)
    yield "SHA-256", certificate.fingerprint(hashes.SHA256()).hex()


def _judge_names(opened: _Opened) -> Iterator[Finding]:
    if len(opened.uris) > 1:
        yield error("There is more than one URI SAN.", "X509-SVID section 2 (X509-01)")
    for uri in opened.uris:
        yield from _judge_uri(opened, uri)
    empty = not opened.certificate.subject.rdns
    if opened.names is not None and opened.names.critical != empty:
        if empty:
            yield error(
                "The subject is empty, yet the SAN extension is not critical.",
                "X509-SVID section 3.1 (X509-06)",
            )
        else:
            yield note(
                "The SAN extension is critical although there is a subject; some verifiers mind.",
                "RFC 5280 section 4.2.1.6 (X509-06)",
            )


def _judge_uri(opened: _Opened, uri: str) -> Iterator[Finding]:
    if not uri.startswith("spiffe:"):
        if not opened.is_authority:
            yield error("The URI SAN is no SPIFFE ID.", "X509-SVID section 5.2 (X509-29)")
        return
    try:
        # A signing certificate with the root path is in the standard's own examples (K-02).
        found = SpiffeId.parse(uri.removesuffix("/") if opened.is_authority else uri)
    except Refusal as refusal:
        yield error(f"The URI SAN is malformed: {refusal}.", "SPIFFE-ID section 2 (X509-31)")
        return
    if opened.is_authority and found.path:
        yield error(
            "The SPIFFE ID of a signing certificate has a path.", "X509-SVID section 3.2 (X509-09)"
        )
    if opened.is_authority and uri.endswith("/"):
        yield warning("The SPIFFE ID ends with a slash.", "SPIFFE-ID section 2.2 (ID-14)")
    if not opened.is_authority and not found.path:
        yield error("The SPIFFE ID of a leaf has no path.", "X509-SVID section 5.2 (X509-30)")


def _judge_usage(opened: _Opened) -> Iterator[Finding]:
    if opened.usage is None:
        yield error("There is no keyUsage.", "X509-SVID section 4.3 (X509-16)")
    elif not opened.usage.critical:
        yield error("The keyUsage is not critical.", "X509-SVID section 4.3 (X509-16)")


def _judge_leaf(opened: _Opened) -> Iterator[Finding]:
    if not opened.uris:
        yield error("There is no URI SAN, so no SPIFFE ID.", "X509-SVID section 2 (X509-01)")
    if opened.constraints is None:
        yield error(
            "There is no basicConstraints to say that this is no CA.",
            "X509-SVID section 4.1 (X509-13)",
        )
    usages = opened.usages
    if "digital_signature" not in usages:
        yield error("The keyUsage lacks digitalSignature.", "X509-SVID section 4.3 (X509-20)")
    if "key_cert_sign" in usages or "crl_sign" in usages:
        yield error(
            "A leaf may sign neither certificates nor CRLs.", "X509-SVID section 4.3 (X509-22)"
        )
    if "key_encipherment" in usages or "key_agreement" in usages:
        yield note(
            "keyEncipherment and keyAgreement are hardly ever of use.",
            "X509-SVID section 4.3 (X509-21)",
        )
    yield from _judge_purposes(opened)


def _judge_purposes(opened: _Opened) -> Iterator[Finding]:
    if opened.purposes is None:
        yield warning("There is no extKeyUsage.", "X509-SVID section 4.4 (X509-23)")
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= set(
        opened.purposes.value
    ):
        yield error(
            "The extKeyUsage lacks serverAuth or clientAuth.", "X509-SVID section 4.4 (X509-24)"
        )


def _judge_authority(opened: _Opened) -> Iterator[Finding]:
    usages = opened.usages
    if not opened.uris:
        yield warning("A signing certificate should be an SVID.", "X509-SVID section 3.2 (X509-08)")
    if "key_cert_sign" not in usages:
        yield error("The keyUsage lacks keyCertSign.", "X509-SVID section 4.3 (X509-17)")
    if not {"digital_signature", "key_encipherment", "key_agreement"}.isdisjoint(usages):
        yield warning(
            "A signing certificate has key usages that are for leaves.",
            "X509-SVID appendix A (X509-19)",
        )
    if opened.purposes is not None:
        yield note(
            "Some software holds everything below to a signing certificate's extKeyUsage.",
            "X509-SVID section 4.4 (X509-25)",
        )
    if _extension(opened.certificate.extensions, x509.NameConstraints) is not None:
        yield note(
            "Some verifiers refuse every chain below name constraints.",
            "X509-SVID section 4.2 (X509-15)",
        )


def _judge_form(certificate: x509.Certificate) -> Iterator[Finding]:
    if not 0 < certificate.serial_number < 2**159:
        yield error(
            "The serial number is not positive or longer than 20 octets.",
            "RFC 5280 section 4.1.2.2 (X509-26)",
        )
    if not certificate.issuer.rdns:
        yield error("The issuer is empty.", "RFC 5280 section 4.1.2.4 (X509-26)")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        yield warning("The RSA key is shorter than 2048 bits.", "RFC 5280 section 6.1 (X509-26)")


def _judge_time(certificate: x509.Certificate, now: float | None) -> Iterator[Finding]:
    if now is None:
        return
    if now > x509_certificate.not_after(certificate):
        yield error("The certificate has expired.", "RFC 5280 section 6.1.3 (X509-26)")
    if now < x509_certificate.not_before(certificate):
        yield error("The certificate is not valid yet.", "RFC 5280 section 6.1.3 (X509-26)")


def _extension(found: x509.Extensions, wanted: type[_T]) -> x509.Extension[_T] | None:
    try:
        return found.get_extension_for_class(wanted)
    except x509.ExtensionNotFound:
        return None
