"""Inspecting a JWT-SVID; no signature is checked and none is repeated."""

from collections.abc import Iterator, Mapping
from typing import Final

from finial.spiffe.identity import SpiffeId
from finial.spiffe.json import jwk, strict_json
from finial.spiffe.jwt_svid import ALGORITHMS
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
from finial.spiffe.refusal import Kind, Refusal

LONG_LIFETIME: Final = 3600

_Claims = Mapping[str, object]


def lint_token(token: str, now: float | None) -> Inspection:
    """Inspect a token in compact serialization by the issuer's rules of JWT-SVID.

    Raises: Refusal of kind INVALID when header or claims cannot be read.
    """
    parts = token.split(".")
    if len(parts) == 5:
        raise Refusal(Kind.INVALID, "this is an encrypted token, which no JWT-SVID is (JWT-03)")
    if len(parts) != 3:
        raise Refusal(Kind.INVALID, "this is not a token of three parts (JWT-01)")
    header, claims = _read(parts[0], "header"), _read(parts[1], "claims")
    findings = (
        *_judge_header(header),
        *_judge_subject(claims),
        *_judge_audience(claims),
        *_judge_time(claims, now),
    )
    return Inspection(DocumentKind.TOKEN, tuple(_fields(header, claims)), findings)


def _read(encoded: str, what: str) -> dict[str, object]:
    try:
        return strict_json.loads_object(jwk.decode(encoded))
    except ValueError as error_:
        raise Refusal(Kind.INVALID, f"the {what} of the token cannot be decoded") from error_


def _fields(header: _Claims, claims: _Claims) -> Iterator[tuple[str, str]]:
    for name in ("alg", "kid", "typ"):
        if name in header:
            yield name, shown(str(header[name]))
    for name in ("sub", "aud", "iss", "jti"):
        if name in claims:
            yield name, shown(_listed(claims[name]))
    for name in ("iat", "nbf", "exp"):
        if _is_number(claims.get(name)):
            yield name, utc(_number(claims, name))
    known = {"sub", "aud", "iss", "jti", "iat", "nbf", "exp"}
    others = sorted(set(claims) - known)
    if others:
        yield "other claims", shown(", ".join(others))


def _judge_header(header: _Claims) -> Iterator[Finding]:
    if header.get("alg") not in list(ALGORITHMS):
        yield error("The alg is missing or not allowed.", "JWT-SVID section 2.1 (JWT-05)")
    if not header.get("kid"):
        yield warning(
            "The kid is missing, and most verifiers want it.", "JWT-SVID section 2.2 (JWT-07)"
        )
    if header.get("typ", "JWT") not in ("JWT", "JOSE"):
        yield error("The typ is neither JWT nor JOSE.", "JWT-SVID section 2.3 (JWT-08)")
    if set(header) - {"alg", "kid", "typ"}:
        yield error("The header holds more than alg, kid and typ.", "JWT-SVID section 2 (JWT-04)")


def _judge_subject(claims: _Claims) -> Iterator[Finding]:
    subject = claims.get("sub")
    clause = "JWT-SVID section 3.1 (JWT-09)"
    if not isinstance(subject, str):
        yield error("The sub is missing.", clause)
        return
    try:
        SpiffeId.parse(subject)
    except Refusal as refusal:
        yield error(f"The sub is no SPIFFE ID: {refusal}.", clause)


def _judge_audience(claims: _Claims) -> Iterator[Finding]:
    audience = claims.get("aud")
    values = audience if isinstance(audience, list) else [audience]
    if not values or not all(isinstance(one, str) and one for one in values):
        yield error("The aud is missing or holds no value.", "JWT-SVID section 3.2 (JWT-10)")
    elif len(values) > 1:
        yield note(
            "Each of several audiences can present the token to the others.",
            "JWT-SVID section 7.2 (JWT-12)",
        )


def _judge_time(claims: _Claims, now: float | None) -> Iterator[Finding]:
    for name in ("iat", "nbf"):
        if name in claims and not _is_number(claims[name]):
            yield error(f"The {name} is not a number.", "RFC 7519 section 4.1 (JWT-18)")
    expiry = claims.get("exp")
    if not isinstance(expiry, int) or isinstance(expiry, bool):
        yield error("The exp is missing or not an integer.", "JWT-SVID section 3.3 (JWT-14)")
        return
    if _is_number(claims.get("iat")) and expiry - _number(claims, "iat") > LONG_LIFETIME:
        yield note("The token lives longer than an hour.", "JWT-SVID section 3.3 (JWT-16)")
    if now is not None and now >= expiry:
        yield error("The token has expired.", "JWT-SVID section 3.3 (JWT-15)")
    if now is not None and _is_number(claims.get("nbf")) and _number(claims, "nbf") > now:
        yield error("The token is not valid yet.", "RFC 7519 section 4.1.5 (JWT-18)")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(claims: _Claims, name: str) -> float:
    value = claims[name]
    assert isinstance(value, int | float)
    return value


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
