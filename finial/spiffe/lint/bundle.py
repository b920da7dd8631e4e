"""Inspecting SPIFFE bundles, bundle maps and plain JWK Sets."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from finial.spiffe.bundle import JwtAuthority, X509Authority
from finial.spiffe.bundle_document import JWT_USE, X509_USE, Ignored, keys_of, sort_key
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import spki
from finial.spiffe.lint.certificate import describe_key, lint_certificate
from finial.spiffe.lint.inspection import (
    DocumentKind,
    Finding,
    Inspection,
    error,
    note,
    shown,
    warning,
)
from finial.spiffe.refusal import Refusal

_Jwk = Mapping[str, object]

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KEY_MEMBERS: Final = frozenset({"kty", "use", "crv", "x", "y", "n", "e"})
_EXPECTED: Final[Mapping[object, frozenset[str]]] = {
    X509_USE: _KEY_MEMBERS | {"x5c"},
    JWT_USE: _KEY_MEMBERS | {"kid"},
}


def lint_jwk_set(document: _Jwk, now: float | None, name: str = "") -> Inspection:
    """Inspect a SPIFFE bundle, or a plain JWK Set when nothing in it is SPIFFE's.

    Raises: Refusal of kind INVALID when `keys` is no array of objects.
    """
    keys = keys_of(document)
    if not name and not _is_spiffe(document, keys):
        return _lint_plain(keys)
    parts = tuple(_lint_key(jwk, number, now) for number, jwk in enumerate(keys, 1))
    fields = (
        ("sequence", shown(str(document.get("spiffe_sequence", "")))),
        ("refresh hint", shown(str(document.get("spiffe_refresh_hint", "")))),
        ("keys", str(len(keys))),
    )
    findings = (*_judge_members(document, keys), *_judge_kids(keys), *_judge_shared(keys))
    return Inspection(DocumentKind.SPIFFE_BUNDLE, fields, findings, parts, name)


def lint_bundle_map(document: _Jwk, now: float | None) -> Inspection:
    """Inspect a bundle map and each bundle in it.

    Raises: Refusal of kind INVALID when a bundle in it cannot be read at all.
    """
    domains = document["trust_domains"]
    clause = "Trust Domain and Bundle section 5.1.1"
    if not isinstance(domains, dict):
        fault = error("The member trust_domains is not an object.", f"{clause} (TDB-19)")
        return Inspection(DocumentKind.BUNDLE_MAP, findings=(fault,))
    findings: list[Finding] = []
    parts: list[Inspection] = []
    for name, content in domains.items():
        if not _is_trust_domain(name) or not isinstance(content, dict):
            sentence = f"{name[:80]!a} is not the name of a trust domain with its bundle."
            findings.append(error(sentence, f"{clause} (TDB-19)"))
            continue
        parts.append(lint_jwk_set(content, now, name))
        if "spiffe_refresh_hint" in content:
            sentence = f"The bundle of {name} has a refresh hint, which means nothing in a map."
            findings.append(warning(sentence, f"{clause} (TDB-22)"))
    fields = (("trust domains", str(len(domains))),)
    return Inspection(DocumentKind.BUNDLE_MAP, fields, tuple(findings), tuple(parts))


def _is_spiffe(document: _Jwk, keys: Sequence[_Jwk]) -> bool:
    members = {"spiffe_sequence", "spiffe_refresh_hint"}
    return not members.isdisjoint(document) or any(
        jwk.get("use") in (X509_USE, JWT_USE) for jwk in keys
    )


def _is_trust_domain(name: str) -> bool:
    try:
        TrustDomain.parse(name)
    except Refusal:
        return False
    return True


def _lint_plain(keys: Sequence[_Jwk]) -> Inspection:
    parts = []
    for number, jwk in enumerate(keys, 1):
        key = _read({**jwk, "use": JWT_USE})
        parts.append(_inspection(jwk, number, key, (*_judge_read(key), *_judge_private(jwk))))
    fields = (("keys", str(len(keys))),)
    return Inspection(DocumentKind.JWKS, fields, tuple(_judge_kids(keys)), tuple(parts))


def _lint_key(jwk: _Jwk, number: int, now: float | None) -> Inspection:
    key = _read(jwk)
    findings = (*_judge_read(key), *_judge_private(jwk), *_judge_shape(jwk))
    if isinstance(key, X509Authority):
        findings += tuple(_judge_root(key))
        inside = lint_certificate(key.certificate, now, "certificate")
        return _inspection(jwk, number, key, findings, (inside,))
    return _inspection(jwk, number, key, findings)


def _read(jwk: _Jwk) -> X509Authority | JwtAuthority | Ignored | Refusal:
    try:
        return sort_key(jwk)
    except Refusal as refusal:
        return refusal


def _inspection(
    jwk: _Jwk,
    number: int,
    key: object,
    findings: tuple[Finding, ...],
    parts: tuple[Inspection, ...] = (),
) -> Inspection:
    fields = [(name, shown(str(jwk[name]))) for name in ("use", "kid", "kty") if name in jwk]
    if isinstance(key, JwtAuthority):
        fields.append(("public key", describe_key(key.key)))
    return Inspection(DocumentKind.KEY, tuple(fields), findings, parts, f"key {number}")


def _judge_read(key: object) -> Iterator[Finding]:
    clause = "Trust Domain and Bundle section 4.2"
    if isinstance(key, Ignored):
        yield warning(f"Consumers ignore this key: {key.why}.", f"{clause} (TDB-14)")
    if isinstance(key, Refusal):
        yield error(f"Consumers refuse the whole document: {key}.", "RFC 7517 section 4 (TDB-06)")


def _judge_private(jwk: _Jwk) -> Iterator[Finding]:
    if not _PRIVATE.isdisjoint(jwk):
        yield error(
            "This holds a private or secret key, which is now known to all who read it.",
            "RFC 7517 section 9.2 (TDB-18)",
        )


def _judge_shape(jwk: _Jwk) -> Iterator[Finding]:
    use, chain = jwk.get("use"), jwk.get("x5c")
    if not isinstance(use, str):
        yield error("The use is missing.", "Trust Domain and Bundle section 4.2.2 (TDB-17)")
        return
    if not isinstance(jwk.get("kty"), str):
        yield error("The kty is missing.", "Trust Domain and Bundle section 4.2.1 (TDB-16)")
    if use == X509_USE and "kid" in jwk:
        yield error("A certificate's JWK has a kid.", "X509-SVID section 6.1 (X509-34)")
    if use == X509_USE and not (isinstance(chain, list) and len(chain) == 1):
        yield error("The x5c has not exactly one value.", "X509-SVID section 6.1 (X509-35)")
    if use == JWT_USE and not jwk.get("kid"):
        yield error("The kid is missing.", "JWT-SVID section 6.1 (JWT-23)")
    expected = _EXPECTED.get(use)
    extra = set(jwk) - _PRIVATE - {"kid"} - expected if expected else set()
    if extra:
        yield warning(
            f"There are parameters that no standard of SPIFFE defines: {sorted(extra)!a}.",
            "Trust Domain and Bundle section 4.2 (TDB-18)",
        )


def _judge_root(authority: X509Authority) -> Iterator[Finding]:
    if authority.certificate.issuer != authority.certificate.subject:
        yield warning("The certificate is not self-signed.", "X509-SVID section 6.1 (X509-36)")


def _judge_members(document: _Jwk, keys: Sequence[_Jwk]) -> Iterator[Finding]:
    clause = "Trust Domain and Bundle section 4.1"
    for member, absent, wrong in (
        ("spiffe_sequence", f"{clause}.1 (TDB-08)", f"{clause}.1 (TDB-09)"),
        ("spiffe_refresh_hint", f"{clause}.2 (TDB-11)", f"{clause}.2 (TDB-12)"),
    ):
        if member not in document:
            yield warning(f"The member {member} is missing.", absent)
        elif type(document[member]) is not int:
            yield error(f"The member {member} is not an integer.", wrong)
    if not keys:
        yield warning(
            "There are no keys, so no SVID of the trust domain is valid.", f"{clause}.3 (TDB-15)"
        )


def _judge_kids(keys: Sequence[_Jwk]) -> Iterator[Finding]:
    kids = Counter(str(jwk["kid"]) for jwk in keys if jwk.get("kid"))
    for kid, count in kids.items():
        if count > 1:
            yield error(f"The kid {kid[:80]!a} comes twice.", "JWT-SVID section 6.1 (JWT-23)")


def _judge_shared(keys: Sequence[_Jwk]) -> Iterator[Finding]:
    read = [_read(jwk) for jwk in keys]
    signing = {found.public_key for found in read if isinstance(found, JwtAuthority)}
    for found in read:
        if isinstance(found, X509Authority) and spki(found.public_key) in signing:
            yield note(
                "One key signs both certificates and tokens.",
                "Trust Domain and Bundle section 2 (TDB-01)",
            )
