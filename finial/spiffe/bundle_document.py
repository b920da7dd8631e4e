"""Bundles as documents: the SPIFFE bundle (a JWK Set), a plain JWK Set, and PEM."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json import jwk as json_web_key
from finial.spiffe.json import strict_json
from finial.spiffe.refusal import Kind, Refusal

X509_USE: Final = "x509-svid"
JWT_USE: Final = "jwt-svid"
MAX_KEYS: Final = 1000
MAX_SEQUENCE: Final = 2**64 - 1
MAX_REFRESH_HINT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Ignored:
    """A JWK that a consumer passes over, and why."""

    why: str


def parse_spiffe_bundle(trust_domain: TrustDomain, document: bytes) -> Bundle:
    """Read a SPIFFE bundle; single keys that are unknown are ignored, a malformed document is not.

    Raises: Refusal of kind INVALID.
    Spec: Trust Domain and Bundle section 4 (TDB-06 to TDB-17), X509-SVID section 6.2 (X509-37 to
        X509-39), JWT-SVID section 6.2 (JWT-24).
    """
    return read_spiffe_bundle(trust_domain, strict_json.loads_object(document))


def read_spiffe_bundle(trust_domain: TrustDomain, document: Mapping[str, object]) -> Bundle:
    """Read a SPIFFE bundle whose JSON has been read already.

    Raises: Refusal of kind INVALID.
    """
    return Bundle(
        trust_domain,
        *_authorities(sort_key(jwk) for jwk in keys_of(document)),
        sequence=_whole_number(document.get("spiffe_sequence"), MAX_SEQUENCE),
        refresh_hint=_whole_number(document.get("spiffe_refresh_hint"), MAX_REFRESH_HINT),
    )


def parse_jwks(trust_domain: TrustDomain, document: bytes) -> Bundle:
    """Read a plain JWK Set of JWT keys, as the Workload API carries them.

    Raises: Refusal of kind INVALID.
    Spec: Workload API section 6.2.2 (WAPI-38 to WAPI-40, WAPI-47).
    """
    found = strict_json.loads_object(document)
    return Bundle(trust_domain, *_authorities(_jwt_key(jwk) for jwk in _plain(keys_of(found))))


def parse_pem_bundle(trust_domain: TrustDomain, pem: bytes) -> Bundle:
    """Read CA certificates in PEM.

    Raises: Refusal of kind INVALID.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _invalid("the document holds no certificates in PEM") from error
    # The library passes over a certificate that is cut short: a root would vanish in silence.
    if len(certificates) != pem.count(b"-----BEGIN CERTIFICATE-----"):
        raise _invalid("the document holds a certificate in PEM that has no end")
    encoded = (found.public_bytes(serialization.Encoding.DER) for found in certificates)
    return Bundle(trust_domain, *_authorities(_x509_authority(der) for der in encoded))


def render_spiffe_bundle(bundle: Bundle) -> bytes:
    """Write the SPIFFE bundle; `spiffe_refresh_hint` is left out when there is none.

    Spec: Trust Domain and Bundle section 4 (TDB-08 to TDB-18), X509-SVID section 6.1 (X509-32 to
        X509-35), JWT-SVID section 6.1 (JWT-21 to JWT-23).
    """
    return _dump(write_spiffe_bundle(bundle))


def write_spiffe_bundle(bundle: Bundle) -> dict[str, object]:
    """Describe the SPIFFE bundle as what becomes a JSON object.

    Raises: Refusal of kind INVALID when an authority's key has no form as JWK.
    """
    keys = [_write_x509(authority) for authority in bundle.x509_authorities]
    keys += [_write_jwt(authority, {"use": JWT_USE}) for authority in bundle.jwt_authorities]
    document: dict[str, object] = {"keys": keys, "spiffe_sequence": bundle.sequence}
    if bundle.refresh_hint:
        document["spiffe_refresh_hint"] = bundle.refresh_hint
    return document


def render_jwks(bundle: Bundle) -> bytes:
    """Write the JWT keys as a plain JWK Set for stock validators, so without `use`.

    Spec: Workload API section 6.2.2 (WAPI-37 to WAPI-40, WAPI-47).
    """
    return _dump({"keys": [_write_jwt(authority, {}) for authority in bundle.jwt_authorities]})


def render_pem(bundle: Bundle) -> bytes:
    """Write the CA certificates in PEM."""
    return b"".join(
        authority.certificate.public_bytes(serialization.Encoding.PEM)
        for authority in bundle.x509_authorities
    )


def sort_key(jwk: Mapping[str, object]) -> X509Authority | JwtAuthority | Ignored:
    """Read one JWK of a SPIFFE bundle, or say why a consumer ignores it.

    Raises: Refusal of kind INVALID when it is of a known kind and malformed.
    """
    use = jwk.get("use")
    if use == X509_USE:
        return _x509_key(jwk)
    if use == JWT_USE:
        return _jwt_key(jwk)
    return Ignored("its use is missing or unknown (TDB-17)")


def _x509_key(jwk: Mapping[str, object]) -> X509Authority | Ignored:
    if not json_web_key.is_known(jwk):
        return Ignored("its key type is unknown (TDB-14)")
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain:
        return Ignored("its x5c is absent or empty (X509-37)")
    authority = _x509_authority(_base64(chain[0]))
    # RFC 7517 section 4.7: the key members say the same key as the first certificate.
    if json_web_key.read_public_key(jwk) != authority.public_key:
        raise _invalid("the key members of a JWK differ from the key in its certificate")
    return authority


def _jwt_key(jwk: Mapping[str, object]) -> JwtAuthority | Ignored:
    if not json_web_key.is_known(jwk):
        return Ignored("its key type is unknown (TDB-14)")
    key_id = jwk.get("kid")
    if not isinstance(key_id, str) or not key_id:
        return Ignored("it has no kid (JWT-23)")
    return JwtAuthority(key_id, json_web_key.spki(json_web_key.read_public_key(jwk)))


def _x509_authority(der: bytes) -> X509Authority:
    authority = X509Authority(der)
    _ = authority.certificate
    return authority


def _authorities(
    sorted_keys: Iterable[X509Authority | JwtAuthority | Ignored],
) -> tuple[tuple[X509Authority, ...], tuple[JwtAuthority, ...]]:
    x509_authorities: dict[bytes, X509Authority] = {}
    jwt_authorities: dict[str, JwtAuthority] = {}
    for found in sorted_keys:
        if isinstance(found, X509Authority):
            x509_authorities[found.der] = found
        elif isinstance(found, JwtAuthority) and (
            jwt_authorities.setdefault(found.key_id, found) != found
        ):
            raise _invalid("two different keys have the same kid", found.key_id)
    return tuple(x509_authorities.values()), tuple(jwt_authorities.values())


def keys_of(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The JWKs of a JWK Set, none of them read yet.

    Raises: Refusal of kind INVALID.
    Spec: Trust Domain and Bundle section 4.1.3 (TDB-13, TDB-15).
    """
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise _invalid("the member keys is missing or not an array")
    if len(keys) > MAX_KEYS:
        raise _invalid(f"the member keys holds more than {MAX_KEYS} keys")
    if not all(isinstance(jwk, dict) for jwk in keys):
        raise _invalid("the member keys holds something that is not an object")
    return keys


def _plain(keys: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    return (jwk for jwk in keys if jwk.get("use", JWT_USE) in (JWT_USE, "sig"))


def _base64(text: object) -> bytes:
    # The standard alphabet with padding, not base64url (X509-35).
    try:
        if isinstance(text, str):
            return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        pass
    raise _invalid("the first value of x5c is not base64")


def _whole_number(value: object, most: int) -> int:
    # A member of the wrong type is passed over as if it were not there (TDB-12).
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    return 0


def _write_x509(authority: X509Authority) -> dict[str, object]:
    key = authority.public_key
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise _invalid("a bundle can hold only EC and RSA authorities")
    encoded = base64.b64encode(authority.der).decode("ascii")
    return {"use": X509_USE, **json_web_key.write_public_key(key), "x5c": [encoded]}


def _write_jwt(authority: JwtAuthority, use: Mapping[str, str]) -> dict[str, object]:
    return {**use, "kid": authority.key_id, **json_web_key.write_public_key(authority.key)}


def _dump(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _invalid(fault: str, value: str = "") -> Refusal:
    return Refusal(Kind.INVALID, fault, field="bundle", value=value[:80])
