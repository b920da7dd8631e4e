"""Which public keys an SVID may certify."""

from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from finial.spiffe.refusal import Kind, Refusal

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
# Smaller public exponents are legal but have a history of broken paddings; larger ones only slow
# every verifier down (FIPS 186-5 section A.1.1 has the same bounds).
MIN_RSA_EXPONENT: Final = 65537
MAX_RSA_EXPONENT_BITS: Final = 256

_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


def judge_public_key(key: object) -> PublicKey:
    """Give the key back: P-256, P-384 or P-521, RSA of 2048 to 8192 bits, or Ed25519.

    Raises: Refusal of kind INVALID.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise _weak(f"no SVID is issued for a key on the curve {key.curve.name}")
        return key
    if isinstance(key, rsa.RSAPublicKey):
        return _judge_rsa(key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise _weak("no SVID is issued for a key of this kind")


def encode_public_key(key: PublicKey) -> bytes:
    """Write the key as SubjectPublicKeyInfo in DER, as certificates hold it."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _judge_rsa(key: rsa.RSAPublicKey) -> rsa.RSAPublicKey:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise _weak(f"an RSA key has 2048 to 8192 bits, not {key.key_size}")
    exponent = key.public_numbers().e
    fits = exponent >= MIN_RSA_EXPONENT and exponent.bit_length() <= MAX_RSA_EXPONENT_BITS
    if not fits or exponent % 2 == 0:
        raise _weak("the public exponent of an RSA key is odd and at least 65537")
    return key


def _weak(fault: str) -> Refusal:
    return Refusal(
        Kind.INVALID,
        fault,
        field="csr",
        remedy="use a key on P-256, P-384 or P-521, or an RSA key of 2048 bits or more",
    )
