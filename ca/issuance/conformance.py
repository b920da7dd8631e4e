"""Our own lint of what will be signed, by the rows of the standards, before a key touches it.

What is judged are the very objects that will be encoded, without regard to how they came about.
A draft that fails has met a bug of ours, not a mistake of whoever asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NewType, Self

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ca.issuance.draft import CertificateDraft, TokenDraft
from ca.issuance.profile import Role
from ca.issuance.public_key import encode_public_key, judge_public_key
from ca.registry.admission.dns_name import judge_dns_name
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import SERVER_PATH, is_agent, is_reserved

ConformingCertificate = NewType("ConformingCertificate", CertificateDraft)
"""A draft that `conform` has judged; nothing else makes one."""

ConformingToken = NewType("ConformingToken", TokenDraft)
"""A draft that `conform_token` has judged; nothing else makes one."""

MAX_SERIAL: Final = 2**128 - 1


@dataclass(frozen=True, slots=True)
class _Facts:
    """A draft and its extensions, each with whether it is critical."""

    draft: CertificateDraft
    usage: x509.KeyUsage
    purposes: frozenset[x509.ObjectIdentifier]
    constraints: x509.BasicConstraints
    names: x509.SubjectAlternativeName
    critical: frozenset[x509.ObjectIdentifier]
    uris: list[str]

    @classmethod
    def of(cls, draft: CertificateDraft) -> Self:
        found: dict[x509.ObjectIdentifier, Any] = {e.oid: e.value for e in draft.extensions}
        if len(found) < len(draft.extensions):
            raise _broken("RFC 5280 section 4.2: an extension is there twice")
        purposes = found.pop(ExtensionOID.EXTENDED_KEY_USAGE, ())
        own = found.pop(ExtensionOID.SUBJECT_KEY_IDENTIFIER, None)
        parent = found.pop(ExtensionOID.AUTHORITY_KEY_IDENTIFIER, None)
        _judge_key_ids(draft, own, parent)
        if found.keys() != _ALWAYS:
            raise _broken("X509-01, X509-13, X509-16: extensions are missing or unknown")
        names = found[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
        return cls(
            draft=draft,
            usage=found[ExtensionOID.KEY_USAGE],
            purposes=frozenset(purposes),
            constraints=found[ExtensionOID.BASIC_CONSTRAINTS],
            names=names,
            critical=frozenset(e.oid for e in draft.extensions if e.critical),
            uris=names.get_values_for_type(x509.UniformResourceIdentifier),
        )


class _Rule(NamedTuple):
    clause: str
    holds: Callable[[_Facts], bool]


def conform(draft: CertificateDraft) -> ConformingCertificate:
    """Judge a certificate's draft by every row of the standard that binds an issuer.

    Raises: Refusal of kind INTERNAL that names the row.
    Spec: X509-SVID sections 2 to 4 (X509-01, X509-05 to X509-24).
    """
    facts = _Facts.of(draft)
    for rule in _EVERY if draft.role is None else _EVERY_LEAF:
        if not rule.holds(facts):
            raise _broken(rule.clause)
    judge_public_key(draft.public_key)
    return ConformingCertificate(draft)


def conform_token(draft: TokenDraft) -> ConformingToken:
    """Judge a token's draft by every row of the standard that binds an issuer.

    Raises: Refusal of kind INTERNAL that names the row.
    Spec: JWT-SVID section 3 (JWT-07, JWT-09, JWT-10, JWT-14, JWT-16).
    """
    for clause, holds in (
        ("JWT-07: the token names no key", bool(draft.authority_id)),
        ("JWT-09: the subject is no workload's SPIFFE ID", _is_workload(draft.spiffe_id)),
        ("JWT-10: the token has no audience", draft.audience and all(draft.audience)),
        ("JWT-14: the token ends before it begins", 0 < draft.issued_at < draft.expires_at),
        ("JWT-16: the token outlives its key", draft.expires_at <= draft.authority_not_after),
        ("RFC 7519 section 4.1.7: the token has no identifier", bool(draft.jti)),
    ):
        if not holds:
            raise _broken(clause)
    return ConformingToken(draft)


def _judge_key_ids(
    draft: CertificateDraft,
    own: x509.SubjectKeyIdentifier | None,
    parent: x509.AuthorityKeyIdentifier | None,
) -> None:
    """Both identifiers of RFC 5280 section 4.2.1; a certificate that signs itself has no parent."""
    if own is None or len(own.digest) != 20:
        raise _broken("RFC 5280 section 4.2.1.2: the subject key identifier is missing")
    wanted = draft.issuer.key_id.value if draft.issuer else None
    if parent != wanted:
        raise _broken("RFC 5280 section 4.2.1.1: the authority key identifier is not the issuer's")


def _usage_bits(usage: x509.KeyUsage) -> tuple[bool, ...]:
    return (
        usage.digital_signature,
        usage.content_commitment,
        usage.key_encipherment,
        usage.data_encipherment,
        usage.key_agreement,
        usage.key_cert_sign,
        usage.crl_sign,
    )


def _is_well_formed(spiffe_id: SpiffeId) -> bool:
    try:
        return SpiffeId.parse(str(spiffe_id)) == spiffe_id
    except Refusal:
        return False


def _is_workload(spiffe_id: SpiffeId) -> bool:
    return _is_well_formed(spiffe_id) and bool(spiffe_id.path) and not is_reserved(spiffe_id)


def _suits_role(facts: _Facts) -> bool:
    spiffe_id = facts.draft.spiffe_id
    match facts.draft.role:
        case Role.AGENT:
            return is_agent(spiffe_id)
        case Role.SERVER:
            return spiffe_id.path == SERVER_PATH
        case _:
            return bool(spiffe_id.path) and not is_reserved(spiffe_id)


def _only_known_names(facts: _Facts) -> bool:
    dns_names = facts.names.get_values_for_type(x509.DNSName)
    if len(dns_names) + len(facts.uris) != len(list(facts.names)):
        return False
    try:
        return [judge_dns_name(name) for name in dns_names] == dns_names
    except Refusal:
        return False


def _within_issuer(facts: _Facts) -> bool:
    draft, issuer = facts.draft, facts.draft.issuer
    return issuer is None or (
        issuer.not_before <= draft.not_before and draft.not_after <= issuer.not_after
    )


def _in_trust_domain(facts: _Facts) -> bool:
    draft, issuer = facts.draft, facts.draft.issuer
    return issuer is None or draft.spiffe_id.trust_domain == issuer.trust_domain


def _broken(clause: str) -> Refusal:
    return Refusal(Kind.INTERNAL, f"what would have been signed breaks a rule: {clause}")


_ALWAYS: Final = {
    ExtensionOID.KEY_USAGE,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
_BOTH_PURPOSES: Final = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
_SIGNS_ONLY: Final = (True, False, False, False, False, False, False)
_CERTIFIES_ONLY: Final = (False, False, False, False, False, True, True)

_ANY_CERTIFICATE: Final = (
    _Rule(
        "BX-07: the serial number is not 1 to 2^128-1", lambda f: 1 <= f.draft.serial <= MAX_SERIAL
    ),
    _Rule(
        "X509-01: the one URI SAN is not the SPIFFE ID",
        lambda f: f.uris == [str(f.draft.spiffe_id)],
    ),
    _Rule(
        "RFC 5280 section 4.1.2.7: the key that would be certified is not the one that is judged",
        lambda f: f.draft.public_key_info == encode_public_key(f.draft.public_key),
    ),
    _Rule("ID-01: the SPIFFE ID is malformed", lambda f: _is_well_formed(f.draft.spiffe_id)),
    _Rule("X509-16: keyUsage is not critical", lambda f: ExtensionOID.KEY_USAGE in f.critical),
    _Rule(
        "X509-06: the SAN is not critical exactly when the subject is empty",
        lambda f: (
            (ExtensionOID.SUBJECT_ALTERNATIVE_NAME in f.critical) is not bool(f.draft.subject.rdns)
        ),
    ),
    _Rule("X509-26: it ends before it begins", lambda f: f.draft.not_before < f.draft.not_after),
    _Rule("X509-26: it is valid when its issuer is not", _within_issuer),
    _Rule("X509-10: it is not in the trust domain of its issuer", _in_trust_domain),
)
_EVERY_LEAF: Final = (
    *_ANY_CERTIFICATE,
    _Rule("X509-12: a leaf has an issuer", lambda f: f.draft.issuer is not None),
    _Rule("X509-13: a leaf is no CA", lambda f: f.constraints.ca is False),
    _Rule(
        "X509-20, X509-22: a leaf signs and nothing else",
        lambda f: _usage_bits(f.usage) == _SIGNS_ONLY,
    ),
    _Rule("X509-24: a leaf serves and calls", lambda f: f.purposes == _BOTH_PURPOSES),
    _Rule("X509-05, ID-30: this role does not have such a SPIFFE ID", _suits_role),
    _Rule("X509-03, BE-04: a name is not fit for a certificate", _only_known_names),
)
_EVERY: Final = (
    *_ANY_CERTIFICATE,
    _Rule("X509-09: the SPIFFE ID of a CA has no path", lambda f: not f.draft.spiffe_id.path),
    _Rule("X509-13: a CA is one", lambda f: f.constraints.ca is True),
    _Rule(
        "X509-13: a CA says so critically", lambda f: ExtensionOID.BASIC_CONSTRAINTS in f.critical
    ),
    _Rule(
        "X509-17, X509-19: a CA certifies and nothing else",
        lambda f: _usage_bits(f.usage) == _CERTIFIES_ONLY,
    ),
    _Rule("X509-25: a CA has no extended key usage", lambda f: not f.purposes),
    _Rule("X509-01: a CA has no other names", lambda f: len(list(f.names)) == 1),
)
