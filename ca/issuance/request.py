"""What a certificate signing request asks for, and which of it counts."""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import SignatureAlgorithmOID

from ca.issuance.public_key import PublicKey, judge_public_key
from ca.registry.admission.dns_name import judge_dns_names, judge_wildcards
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import judge_workload_id

MAX_CSR_BYTES: Final = 16 * 1024

_ECDSA: Final = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: ec.ECDSA(hashes.SHA256()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: ec.ECDSA(hashes.SHA384()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: ec.ECDSA(hashes.SHA512()),
}
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)
_UNREADABLE_EXTENSIONS = (
    *_UNREADABLE,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class CsrParts:
    """What counts of a request: its key, whose possession it proves.

    The others are filled by `judge_mint_csr` alone; elsewhere nothing but the key is used (BL-05).
    """

    public_key: PublicKey
    id: SpiffeId | None = None
    dns_names: tuple[str, ...] = ()
    subject: x509.Name | None = None


def judge_csr(der: bytes) -> CsrParts:
    """Read a PKCS#10 request of at most 16 KiB and verify its signature.

    Raises: Refusal of kind INVALID, with SPIRE's texts (spire-wire 4.4).
    """
    return CsrParts(_judged(der)[1])


def judge_mint_csr(der: bytes, trust_domain: TrustDomain) -> CsrParts:
    """Read a request whose SPIFFE ID, DNS names and subject are used too.

    It has exactly one URI SAN, a workload's SPIFFE ID, and may have DNS names, of which no
    wildcard covers another.

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID section 2 (X509-01), section 3.1 (X509-05).
    """
    csr, public_key = _judged(der)
    try:
        subject = csr.subject
        names = _alternative_names(csr)
    except _UNREADABLE_EXTENSIONS as error:
        raise _malformed() from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise _invalid(
            "the CSR does not have exactly one URI SAN",
            str(len(uris)),
            "put the SPIFFE ID, and no other URI, into it",
        )
    spiffe_id = SpiffeId.parse(uris[0])
    judge_workload_id(spiffe_id, trust_domain, "csr")
    dns_names = judge_dns_names(names.get_values_for_type(x509.DNSName))
    judge_wildcards(dns_names)
    return CsrParts(public_key, spiffe_id, dns_names, subject if list(subject) else None)


def _judged(der: bytes) -> tuple[x509.CertificateSigningRequest, PublicKey]:
    if not der:
        raise _invalid("missing CSR", "", "send a PKCS#10 request in DER")
    if len(der) > MAX_CSR_BYTES:
        raise _invalid("malformed CSR", "", f"send one of at most {MAX_CSR_BYTES} bytes")
    try:
        csr = x509.load_der_x509_csr(der)
        public_key = csr.public_key()
    except _UNREADABLE as error:
        raise _malformed() from error
    # Before the signature is verified: a huge key would make that dear.
    judged = judge_public_key(public_key)
    if not _is_signed(csr, judged):
        raise _invalid("invalid CSR signature", "", "sign it with the key that it holds")
    return csr, judged


def _is_signed(csr: x509.CertificateSigningRequest, key: PublicKey) -> bool:
    algorithm = _ECDSA.get(csr.signature_algorithm_oid)
    try:
        if algorithm is None or not isinstance(key, ec.EllipticCurvePublicKey):
            return csr.is_signature_valid
        # What the library does too, but for reading the key a second time.
        key.verify(csr.signature, csr.tbs_certrequest_bytes, algorithm)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _alternative_names(csr: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName:
    for extension in csr.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return extension.value
    return x509.SubjectAlternativeName([])


def _malformed() -> Refusal:
    return _invalid("malformed CSR", "", "send a PKCS#10 request in DER")


def _invalid(fault: str, value: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="csr", value=value, remedy=remedy)
