"""X509-SVIDs: judging a leaf, its signing certificates, and the path to a bundle (X509-SVID)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography import x509

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.bundle import Bundle
from finial.spiffe.certificate import split_der
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.path_validation import validate_path
from finial.spiffe.refusal import Kind, Refusal

__all__ = ["MAX_CHAIN", "X509Svid", "judge_authority", "judge_leaf", "split_der", "verify"]

MAX_CHAIN: Final = 8
"""How many certificates a chain may hold, the leaf included."""


@dataclass(frozen=True, slots=True)
class X509Svid:
    """A judged certificate chain, the public part of an X509-SVID; times are Unix seconds.

    `chain` is DER, leaf first; `authority_key_id` is hex, empty when the leaf names none.
    """

    id: SpiffeId
    chain: tuple[bytes, ...]
    serial: int
    not_before: int
    not_after: int
    authority_key_id: str

    @classmethod
    def parse(cls, chain: Sequence[bytes]) -> Self:
        """Read DER certificates, leaf first, and judge the form of each.

        Whether they are valid now, and signed by whom, is for `verify` to say.

        Raises: Refusal of kind INVALID.
        Spec: X509-SVID sections 2 to 5 (X509-02, X509-09, X509-27 to X509-31).
        """
        if not 1 <= len(chain) <= MAX_CHAIN:
            raise _invalid(f"a chain holds 1 to {MAX_CHAIN} certificates", str(len(chain)))
        leaf = x509_certificate.read(chain[0])
        spiffe_id = judge_leaf(leaf)
        for der in chain[1:]:
            judge_authority(x509_certificate.read(der))
        return cls(
            id=spiffe_id,
            chain=tuple(chain),
            serial=leaf.serial_number,
            not_before=x509_certificate.not_before(leaf),
            not_after=x509_certificate.not_after(leaf),
            authority_key_id=x509_certificate.authority_key_id(leaf),
        )


def judge_leaf(certificate: x509.Certificate) -> SpiffeId:
    """Return the SPIFFE ID of a leaf that keeps every rule a verifier has to look at.

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID sections 2, 4.1, 4.3 and 5.2 (X509-02, X509-04, X509-12, X509-13, X509-16,
        X509-20, X509-27 to X509-31).
    """
    found = _Extensions.of(certificate)
    if found.constraints is None:
        raise _invalid("the leaf certificate has no basicConstraints")
    if found.constraints.ca:
        raise _invalid("the leaf certificate is a CA certificate, which identifies no one")
    usage = found.usage
    if usage is None:
        raise _invalid("the leaf certificate has no keyUsage")
    if usage.key_cert_sign or usage.crl_sign:
        raise _invalid("the keyUsage of the leaf certificate allows to sign certificates or CRLs")
    if not usage.digital_signature:
        raise _invalid("the keyUsage of the leaf certificate lacks digitalSignature")
    spiffe_id = SpiffeId.parse(_only_uri(found.names))
    if not spiffe_id.path:
        raise _invalid("the SPIFFE ID of the leaf certificate has no path", str(spiffe_id))
    return spiffe_id


def judge_authority(certificate: x509.Certificate) -> None:
    """Accept a certificate that may sign others, as an intermediate or as our own authority.

    Roots of a bundle are not held to this: nothing needs their SPIFFE ID (checklist K-02, K-08).

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID sections 3.2, 4.1 and 4.3 (X509-07, X509-09, X509-13, X509-16, X509-17).
    """
    found = _Extensions.of(certificate)
    if found.constraints is None or not found.constraints.ca:
        raise _invalid("the signing certificate is not a CA certificate")
    if found.usage is None or not found.usage.key_cert_sign:
        raise _invalid("the keyUsage of the signing certificate lacks keyCertSign")
    uris = _uris(found.names)
    if len(uris) > 1:
        raise _invalid("the signing certificate has more than one URI SAN")
    # The standard's own example certificates carry the root path (checklist K-02).
    if uris and uris[0].startswith("spiffe:") and SpiffeId.parse(uris[0].removesuffix("/")).path:
        raise _invalid("the SPIFFE ID of the signing certificate has a path", uris[0])


def verify(svid: X509Svid, bundles: Mapping[TrustDomain, Bundle], now: float) -> SpiffeId:
    """Validate the whole path from the leaf to the bundle of its own trust domain.

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID section 5 (X509-26, X509-31, X509-39), SPIFFE-ID section 3 (ID-20),
        Trust Domain and Bundle section 3 (TDB-04, TDB-15).
    """
    bundle = bundles.get(svid.id.trust_domain)
    if bundle is None:
        raise _invalid(f"there is no bundle of the trust domain {svid.id.trust_domain}")
    leaf, *intermediates = (x509_certificate.read(der) for der in svid.chain)
    anchors = [authority.certificate for authority in bundle.x509_authorities]
    validate_path(leaf, intermediates, anchors, now)
    return judge_leaf(leaf)


@dataclass(frozen=True, slots=True)
class _Extensions:
    constraints: x509.BasicConstraints | None
    usage: x509.KeyUsage | None
    names: x509.SubjectAlternativeName | None

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        constraints = usage = names = None
        for extension in x509_certificate.extensions_of(certificate):
            value = extension.value
            if isinstance(value, x509.BasicConstraints):
                constraints = value
            elif isinstance(value, x509.KeyUsage):
                usage = value
            elif isinstance(value, x509.SubjectAlternativeName):
                names = value
        return cls(constraints, usage, names)


def _uris(names: x509.SubjectAlternativeName | None) -> list[str]:
    return [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)


def _only_uri(names: x509.SubjectAlternativeName | None) -> str:
    uris = _uris(names)
    if len(uris) != 1:
        raise _invalid("the leaf certificate does not have exactly one URI SAN", str(len(uris)))
    return uris[0]


def _invalid(fault: str, value: str = "") -> Refusal:
    return Refusal(Kind.INVALID, fault, field="x509_svid", value=value[:80])
