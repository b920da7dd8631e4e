"""Secrets as Envoy takes them: a certificate with its key, or what peers are verified by.

A secret's version is a hash of what is public in it. So it is the same on every stream, after a
restart and from every agent; and nothing about a key can be learnt from it.
"""

import base64
import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from agent.cache.x509_svids import HeldSvid
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId
from finial.wire.pb import envoy_core_pb2, envoy_tls_pb2
from finial.wire.pb.well_known import Any as Packed

SECRET_TYPE: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105
SPIFFE_VALIDATOR: Final = "envoy.tls.cert_validator.spiffe"
LONGEST_VERSION: Final = 32
_PEM_COLUMNS: Final = 64


class Form(enum.Enum):
    """How an Envoy is told what to verify peers by.

    SPIFFE names the validator that knows trust domains. PLAIN is a list of authorities: any of
    them may sign for anybody, so it never holds those of two trust domains.
    """

    SPIFFE = "spiffe"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret under one name; `spiffe_id` is whose certificate it is, if it is one."""

    name: str
    version: str
    packed: Any = field(repr=False, compare=False)
    spiffe_id: SpiffeId | None = None


def certificate(name: str, svid: HeldSvid) -> Secret:
    """An X.509-SVID and its key, the leaf first."""
    secret = envoy_tls_pb2.Secret(name=name)
    chain = b"".join(pem("CERTIFICATE", der) for der in svid.chain)
    secret.tls_certificate.certificate_chain.inline_bytes = chain
    secret.tls_certificate.private_key.inline_bytes = pem("PRIVATE KEY", svid.private_key)
    return Secret(name, digest(svid.chain), _packed(secret), svid.spiffe_id)


@dataclass(frozen=True, slots=True)
class Trust:
    """What peers of one trust domain are verified by.

    The bundle holds an authority: Envoy refuses its SPIFFE validator whole if one domain has none.
    `crls` are revocation lists in DER, one for each authority or none at all.
    """

    bundle: Bundle
    crls: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """The trust domain's name."""
        return self.bundle.trust_domain.name

    @property
    def authorities(self) -> bytes:
        """The authorities in PEM."""
        return b"".join(pem("CERTIFICATE", each.der) for each in self.bundle.x509_authorities)

    @property
    def revoked(self) -> bytes:
        """The revocation lists in PEM."""
        return b"".join(pem("X509 CRL", each) for each in self.crls)


def validation(name: str, trusts: Iterable[Trust], form: Form) -> Secret:
    """What peers of these trust domains are verified by; in the plain form, of one."""
    secret = envoy_tls_pb2.Secret(name=name)
    context = secret.validation_context
    known = sorted(trusts, key=lambda each: each.name)
    if form is Form.PLAIN:
        [trust] = known
        context.trusted_ca.inline_bytes = trust.authorities
        if trust.crls:
            context.crl.inline_bytes = trust.revoked
    else:
        _pack(context.custom_validator_config, known)
    told = [form.value.encode()]
    for each in known:
        told += [each.name.encode(), each.bundle.x509_der, *each.crls]
    return Secret(name, digest(told), _packed(secret))


def digest(parts: Iterable[bytes]) -> str:
    """A hash of these parts in this order, each told apart from the next by its length."""
    hashed = hashlib.sha256()
    for each in parts:
        hashed.update(len(each).to_bytes(8, "big") + each)
    return hashed.hexdigest()[:LONGEST_VERSION]


def pem(label: str, der: bytes) -> bytes:
    """Write DER as PEM."""
    text = base64.b64encode(der)
    lines = [text[at : at + _PEM_COLUMNS] for at in range(0, len(text), _PEM_COLUMNS)]
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return b"\n".join([begin.encode(), *lines, end.encode(), b""])


def _pack(validator: envoy_core_pb2.TypedExtensionConfig, trusts: Iterable[Trust]) -> None:
    config = envoy_tls_pb2.SPIFFECertValidatorConfig()
    for each in trusts:
        domain = config.trust_domains.add(name=each.name)
        # The validator has no member for revocation lists, and reads them among the certificates.
        domain.trust_bundle.inline_bytes = each.authorities + each.revoked
    validator.name = SPIFFE_VALIDATOR
    validator.typed_config.Pack(config, deterministic=True)


def _packed(secret: envoy_tls_pb2.Secret) -> Any:
    packed = Packed()
    packed.Pack(secret, deterministic=True)
    return packed
