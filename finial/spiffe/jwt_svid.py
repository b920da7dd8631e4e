"""JWT-SVIDs: reading a token, and judging it by the bundle of its subject's trust domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.json import jwk, strict_json
from finial.spiffe.refusal import Kind, Refusal

MAX_TOKEN_BYTES: Final = 64 * 1024
MAX_LEEWAY: Final = 60
"""Seconds; a small leeway is acceptable (JWT-15)."""

MIN_RSA_BITS: Final = 2048

_CURVES: Final[Mapping[str, str]] = {
    "ES256": "secp256r1",
    "ES384": "secp384r1",
    "ES512": "secp521r1",
}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS: Final = _RSA | _CURVES.keys()

# Parameters that name a key, or ask for what we do not do. Issuers may set none of them (JWT-04).
_DANGEROUS: Final = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"})
_SIGNERS: Final = get_default_algorithms()


@dataclass(frozen=True, slots=True)
class JwtSvid:
    """A JWT-SVID; times are Unix seconds, `issued_at` is 0 when the token does not say."""

    id: SpiffeId
    audience: tuple[str, ...]
    expires_at: int
    issued_at: int
    key_id: str
    token: str = field(repr=False)  # a bearer secret
    claims: Mapping[str, object]

    @classmethod
    def parse_unverified(cls, token: str) -> Self:
        """Read a token and judge its form; who signed it, and when it ends, are not looked at.

        Raises: Refusal of kind INVALID.
        Spec: JWT-SVID sections 2 and 3 (JWT-02 to JWT-11, JWT-14, JWT-18).
        """
        parts = _split(token)
        header = _judge_header(parts[0])
        return cls._of(token, parts[1], str(header.get("kid", "")))

    @classmethod
    def _of(cls, token: str, payload: str, key_id: str) -> Self:
        claims = _read_object(payload, "claims")
        subject = claims.get("sub")
        if not isinstance(subject, str):
            raise _invalid("the token has no subject")
        _instant(claims, "nbf")
        return cls(
            id=SpiffeId.parse(subject),
            audience=_audience(claims.get("aud")),
            expires_at=_expiry(claims.get("exp")),
            issued_at=int(_instant(claims, "iat")),
            key_id=key_id,
            token=token,
            claims=claims,
        )


def verify_jwt(
    token: str,
    audience: str,
    bundles: Mapping[TrustDomain, Bundle],
    now: float,
    leeway: int = MAX_LEEWAY,
) -> JwtSvid:
    """Validate a token for one audience with the keys of its subject's trust domain only.

    `leeway` is in seconds and at most a minute.

    Raises: Refusal of kind INVALID.
    Spec: JWT-SVID section 4 (JWT-06 to JWT-18, JWT-24), Workload API section 6.3 (JWT-27).
    """
    if not audience:
        raise _invalid("a token is validated for an audience, and none was given")
    head, payload, signature = _split(token)
    header = _judge_header(head)
    svid = JwtSvid._of(token, payload, str(header.get("kid", "")))
    key = _key(svid, bundles, now)
    _judge_signature(str(header["alg"]), key, f"{head}.{payload}".encode("ascii"), signature)
    if audience not in svid.audience:
        raise _invalid("the token is for another audience")
    _judge_time(svid, now, min(leeway, MAX_LEEWAY))
    return svid


def _split(token: str) -> list[str]:
    if len(token) > MAX_TOKEN_BYTES:
        raise _invalid(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise _invalid("the token is not a JWS in compact serialization")
    return parts


def _judge_header(encoded: str) -> Mapping[str, object]:
    header = _read_object(encoded, "header")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise _invalid("the alg of the token is missing or not allowed")
    if header.get("typ", "JWT") not in ("JWT", "JOSE"):
        raise _invalid("the typ of the token is neither JWT nor JOSE")
    if not isinstance(header.get("kid", ""), str):
        raise _invalid("the kid of the token is not a text")
    if not _DANGEROUS.isdisjoint(header):
        raise _invalid("the header of the token holds what no JWT-SVID has")
    return header


def _read_object(encoded: str, what: str) -> dict[str, object]:
    return strict_json.loads_object(_decode(encoded, what))


def _decode(encoded: str, what: str) -> bytes:
    try:
        return jwk.decode(encoded)
    except ValueError as error:
        raise _invalid(f"the {what} of the token cannot be decoded") from error


def _audience(value: object) -> tuple[str, ...]:
    # The schema says a text, the standard and RFC 7519 also allow an array (checklist K-06).
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise _invalid("the token has no audience")
    if not all(isinstance(one, str) and one for one in values):
        raise _invalid("the token has an audience that is empty or no text")
    return tuple(values)


def _expiry(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _invalid("the exp of the token is missing or not an integer")
    return value


def _instant(claims: Mapping[str, object], claim: str) -> float:
    value = claims.get(claim, 0)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _invalid(f"the {claim} of the token is not a number")
    return value


def _key(svid: JwtSvid, bundles: Mapping[TrustDomain, Bundle], now: float) -> jwk.PublicKey:
    bundle = bundles.get(svid.id.trust_domain)
    if bundle is None:
        raise _invalid(f"there is no bundle of the trust domain {svid.id.trust_domain}")
    if not svid.key_id:
        raise _invalid("the token has no kid")
    authority = bundle.jwt_authority(svid.key_id)
    if authority is None:
        raise _invalid("the bundle has no JWT key with the kid of the token")
    if authority.expires_at and now > authority.expires_at + MAX_LEEWAY:
        raise _invalid("the key that signed the token has expired")
    return authority.key


def _judge_signature(alg: str, key: jwk.PublicKey, signed: bytes, signature: str) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        fits = _CURVES.get(alg) == key.curve.name
    else:
        fits = alg in _RSA and key.key_size >= MIN_RSA_BITS
    if not fits:
        raise _invalid("the alg of the token does not fit the key")
    if not _SIGNERS[alg].verify(signed, key, _decode(signature, "signature")):
        raise _invalid("the signature of the token is wrong")


def _judge_time(svid: JwtSvid, now: float, leeway: int) -> None:
    if now >= svid.expires_at + leeway:
        raise _invalid("the token has expired")
    if _instant(svid.claims, "nbf") > now + leeway:
        raise _invalid("the token is not valid yet")


def _invalid(fault: str) -> Refusal:
    # A token is a secret: no part of it goes into a refusal.
    return Refusal(Kind.INVALID, fault, field="token")
