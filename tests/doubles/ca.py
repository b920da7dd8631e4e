"""A small certificate authority that signs whatever a test asks for, also what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.doubles.clock import NOW

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = Sequence[tuple[x509.ExtensionType, bool]]
USAGES = (
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
SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_usage(*names: str) -> x509.KeyUsage:
    """A key usage of exactly the bits named, such as `digital_signature`."""
    assert set(names) <= set(USAGES)
    return x509.KeyUsage(**{usage: usage in names for usage in USAGES})


@dataclass(frozen=True)
class Signed:
    """A certificate, its key, and the chain above it (without the root)."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, leaf first, without the root."""
        above = (each.public_bytes(serialization.Encoding.DER) for each in self.above)
        return (self.der, *above)

    @property
    def chain_pem(self) -> bytes:
        every = (self.certificate, *self.above)
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in every)

    @property
    def key_pkcs8(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


class SmallCa:
    """Signs with one key; `intermediate` makes another one below it."""

    def __init__(
        self,
        trust_domain: str = "example.org",
        *,
        key: PrivateKey | None = None,
        now: float = NOW,
        lifetime: float = 86_400,
        signed: Signed | None = None,
    ) -> None:
        self.trust_domain = trust_domain
        self.now = now
        self.root = signed or self._self_signed(key or new_key(), lifetime)

    @property
    def certificate(self) -> x509.Certificate:
        return self.root.certificate

    @property
    def der(self) -> bytes:
        return self.root.der

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def workload(self, path: str = "/web", **changes: Any) -> Signed:
        """An X.509-SVID as the standard wants it; `changes` go to `sign`."""
        return self.leaf([f"spiffe://{self.trust_domain}{path}"], **changes)

    def leaf(self, uris: Sequence[str] = (), dns: Sequence[str] = (), **changes: Any) -> Signed:
        """A leaf with these alternative names and the usual extensions."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(name) for name in dns]
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage("digital_signature", "key_agreement"), True),
            (x509.ExtendedKeyUsage(SERVER_AND_CLIENT), False),
        ]
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        return self.sign(**{"extensions": extensions, **changes})

    def intermediate(self, path: str = "", **changes: Any) -> "SmallCa":
        """An authority below this one, whose leaves carry it in their chain."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
            (_uri(f"spiffe://{self.trust_domain}{path}"), False),
        ]
        subject = name(f"intermediate of {self.trust_domain}")
        wanted = {"extensions": extensions, "subject": subject, **changes}
        signed = self.sign(**wanted)
        return SmallCa(self.trust_domain, now=self.now, signed=signed)

    def sign(
        self,
        *,
        key: PrivateKey | None = None,
        subject: x509.Name | None = None,
        serial: int | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
        extensions: Extensions = (),
        digest: hashes.SHA256 | hashes.SHA384 | None = None,
    ) -> Signed:
        """Sign exactly these extensions, plus the two key identifiers."""
        key = key or new_key()
        start = self.now - 10 if not_before is None else not_before
        end = self.now + 3_600 if not_after is None else not_after
        builder = (
            x509.CertificateBuilder()
            .subject_name(name("finial") if subject is None else subject)
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())  # noqa: TID251 - never looked at
            .not_valid_before(datetime.fromtimestamp(int(start), UTC))
            .not_valid_after(datetime.fromtimestamp(int(end), UTC))
        )
        issuer_key_id = self.certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value
        identifiers: Extensions = (
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id),
                False,
            ),
        )
        for extension, critical in (*extensions, *identifiers):
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(self.root.key, digest or hashes.SHA256())
        above = (self.certificate, *self.root.above) if self._is_intermediate else ()
        return Signed(certificate, key, above)

    @property
    def _is_intermediate(self) -> bool:
        return self.certificate.issuer != self.certificate.subject

    def _self_signed(self, key: PrivateKey, lifetime: float) -> Signed:
        subject = name(f"authority of {self.trust_domain}")
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())  # noqa: TID251 - never looked at
            .not_valid_before(datetime.fromtimestamp(int(self.now - 10), UTC))
            .not_valid_after(datetime.fromtimestamp(int(self.now + lifetime), UTC))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(key_usage("key_cert_sign", "crl_sign"), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(_uri(f"spiffe://{self.trust_domain}"), False)
        )
        return Signed(builder.sign(key, hashes.SHA256()), key)


def name(common_name: str, organization: str = "SPIFFE") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _uri(text: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(text)])
