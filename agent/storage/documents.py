"""Entitlements and bundles as documents, for the file of their topic."""

from typing import TypeVar

import msgspec

from agent.cache.entitlement import Entitlement, Entitlements
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

T = TypeVar("T")


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    spiffe_id: str
    selectors: list[tuple[str, str]]
    federates_with: list[str] = []
    admin: bool = False
    downstream: bool = False
    store_svid: bool = False
    hint: str = ""
    disable_x509_svid_prefetch: bool = False
    jwt_svid_include_jti: bool = False
    revision_number: int = 0
    created_at: int = 0


class _X509(msgspec.Struct, frozen=True, omit_defaults=True):
    der: bytes
    tainted: bool = False


class _Jwt(msgspec.Struct, frozen=True, omit_defaults=True):
    key_id: str
    public_key: bytes
    expires_at: int = 0
    tainted: bool = False


class _Bundle(msgspec.Struct, frozen=True, omit_defaults=True):
    trust_domain: str
    x509: list[_X509]
    jwt: list[_Jwt]
    sequence: int = 0
    refresh_hint: int = 0


_FLAGS = (
    "admin",
    "downstream",
    "store_svid",
    "hint",
    "disable_x509_svid_prefetch",
    "jwt_svid_include_jti",
    "revision_number",
    "created_at",
)


def render_entries(entitlements: Entitlements) -> str:
    """Write all entries, sorted by id."""
    rows = [
        _Entry(
            each.id,
            str(each.spiffe_id),
            [(selector.type, selector.value) for selector in each.selectors],
            [domain.name for domain in each.federates_with],
            **{flag: getattr(each, flag) for flag in _FLAGS},
        )
        for each in sorted(entitlements, key=lambda each: each.id)
    ]
    return msgspec.json.encode(rows).decode()


def parse_entries(document: str) -> Entitlements:
    """Read what `render_entries` wrote.

    Raises: Refusal of kind INVALID.
    """
    return Entitlements(_entitlement(row) for row in _decode(document, list[_Entry]))


def render_bundles(bundles: list[Bundle]) -> str:
    """Write bundles with everything we know of them, also what no standard document carries."""
    rows = [
        _Bundle(
            each.trust_domain.name,
            [_X509(authority.der, authority.tainted) for authority in each.x509_authorities],
            [_Jwt(a.key_id, a.public_key, a.expires_at, a.tainted) for a in each.jwt_authorities],
            each.sequence,
            each.refresh_hint,
        )
        for each in sorted(bundles, key=lambda each: each.trust_domain)
    ]
    return msgspec.json.encode(rows).decode()


def parse_bundles(document: str) -> list[Bundle]:
    """Read what `render_bundles` wrote.

    Raises: Refusal of kind INVALID.
    """
    return [_bundle(row) for row in _decode(document, list[_Bundle])]


def _entitlement(row: _Entry) -> Entitlement:
    return Entitlement(
        id=row.id,
        spiffe_id=SpiffeId.parse(row.spiffe_id),
        selectors=tuple(Selector.of(*each) for each in row.selectors),
        federates_with=tuple(TrustDomain.parse(each) for each in row.federates_with),
        **{flag: getattr(row, flag) for flag in _FLAGS},
    )


def _bundle(row: _Bundle) -> Bundle:
    bundle = Bundle(
        TrustDomain.parse(row.trust_domain),
        tuple(X509Authority(each.der, each.tainted) for each in row.x509),
        tuple(JwtAuthority(a.key_id, a.public_key, a.expires_at, a.tainted) for a in row.jwt),
        row.sequence,
        row.refresh_hint,
    )
    for authority in bundle.x509_authorities:
        _ = authority.certificate
    return bundle


def _decode(document: str, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(document, type=type_)
    except msgspec.DecodeError as error:
        raise Refusal(Kind.INVALID, f"the stored document is damaged: {error}") from error
