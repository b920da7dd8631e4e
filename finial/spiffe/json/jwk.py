"""Public keys as JSON Web Keys (RFC 7517, RFC 7518 section 6)."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from finial.spiffe.refusal import Kind, Refusal

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

MAX_RSA_BITS: Final = 16384

_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
_NAMES: Final[Mapping[str, str]] = {curve().name: name for name, curve in _CURVES.items()}


def is_known(jwk: Mapping[str, object]) -> bool:
    """Whether key type and curve are ones that we can read; a consumer ignores the others.

    Spec: Trust Domain and Bundle section 4.2.1 (TDB-14).
    """
    kty, curve = jwk.get("kty"), jwk.get("crv")
    return kty == "RSA" or (kty == "EC" and (not isinstance(curve, str) or curve in _CURVES))


def read_public_key(jwk: Mapping[str, object]) -> PublicKey:
    """Build the public key of a JWK whose type is known.

    Raises: Refusal of kind INVALID when a member is missing or malformed.
    """
    try:
        if jwk.get("kty") == "RSA":
            return _read_rsa(jwk)
        return _read_ec(jwk)
    except ValueError as error:
        raise Refusal(
            Kind.INVALID, f"the JWK is not a public key ({error})", field="keys"
        ) from error


def write_public_key(key: PublicKey) -> dict[str, str]:
    """Describe a public key by the members `kty`, and `crv`, `x`, `y` or `n`, `e`.

    Raises: Refusal of kind INVALID for a curve that JOSE does not know.
    """
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return {
            "kty": "RSA",
            "n": _encode_number(rsa_numbers.n),
            "e": _encode_number(rsa_numbers.e),
        }
    name = _curve_name(key)
    width = (key.key_size + 7) // 8
    numbers = key.public_numbers()
    return {
        "kty": "EC",
        "crv": name,
        "x": encode(numbers.x.to_bytes(width, "big")),
        "y": encode(numbers.y.to_bytes(width, "big")),
    }


@lru_cache(maxsize=512)
def load_spki(der: bytes) -> PublicKey:
    """Load a SubjectPublicKeyInfo that holds a key which a JWK can hold too: EC or RSA.

    One that could not be published would make its whole bundle unwritable.

    Raises: Refusal of kind INVALID.
    """
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refusal(Kind.INVALID, "the public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise Refusal(Kind.INVALID, "the public key is neither an EC nor an RSA key")
    if isinstance(key, ec.EllipticCurvePublicKey):
        _curve_name(key)
    return key


def _curve_name(key: ec.EllipticCurvePublicKey) -> str:
    name = _NAMES.get(key.curve.name)
    if name is None:
        raise Refusal(Kind.INVALID, "no JWK can hold a key of this curve", value=key.curve.name)
    return name


def spki(key: CertificatePublicKeyTypes) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo in DER."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def encode(content: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Decode base64url without padding; the one spelling of the content and no other.

    Raises: ValueError.
    """
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The library skips what it does not know and stray bits; writing it again shows both.
    if encode(content) != text:
        raise ValueError("not base64url without padding")
    return content


def _read_ec(jwk: Mapping[str, object]) -> PublicKey:
    curve = _CURVES[_text(jwk, "crv")]()
    width = (curve.key_size + 7) // 8
    x, y = decode(_text(jwk, "x")), decode(_text(jwk, "y"))
    if len(x) != width or len(y) != width:
        raise ValueError("a coordinate has the wrong length")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve
    )
    return numbers.public_key()


def _read_rsa(jwk: Mapping[str, object]) -> PublicKey:
    modulus, exponent = decode(_text(jwk, "n")), decode(_text(jwk, "e"))
    if len(modulus) * 8 > MAX_RSA_BITS or len(exponent) > 8:
        raise ValueError("the RSA key is too long")
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    return numbers.public_key()


def _text(jwk: Mapping[str, object], member: str) -> str:
    found = jwk.get(member)
    if not isinstance(found, str):
        raise ValueError(f"the member {member} is missing")  # noqa: TRY004 - a document's fault
    return found


def _encode_number(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
