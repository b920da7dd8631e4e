"""Making private keys and saying what they are."""

import re
from typing import Final, assert_never

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from finial.keys.contract import KeyType, PrivateKey
from finial.spiffe.refusal import Kind, Refusal

_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", re.ASCII)
_PUBLIC_EXPONENT: Final = 65537


def generate_private_key(key_type: KeyType) -> PrivateKey:
    """Make a key in this process; RSA takes up to seconds, so give it a thread."""
    match key_type:
        case KeyType.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyType.RSA_2048:
            return rsa.generate_private_key(_PUBLIC_EXPONENT, 2048)
        case KeyType.RSA_4096:
            return rsa.generate_private_key(_PUBLIC_EXPONENT, 4096)
    assert_never(key_type)


def is_slow(key_type: KeyType) -> bool:
    """Whether making such a key would hold up an event loop."""
    return key_type in (KeyType.RSA_2048, KeyType.RSA_4096)


def pkcs8(key: PrivateKey) -> bytes:
    """Write a key as unencrypted PKCS#8 DER (X509-SVIDs travel so, WAPI X509SVID.x509_svid_key)."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def private_key_of(document: bytes) -> PrivateKey:
    """Read unencrypted PKCS#8 DER.

    Raises: Refusal of kind INVALID, which never shows the document.
    """
    try:
        key = serialization.load_der_private_key(document, password=None)
    except (ValueError, TypeError):
        raise Refusal(Kind.INVALID, "the private key is not readable PKCS#8") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Refusal(Kind.INVALID, "the private key is neither an EC nor an RSA key")
    return key


def key_type_of(public_key: PublicKeyTypes) -> KeyType:
    """Say which of our kinds a public key is.

    Raises: Refusal of kind INVALID for any other kind.
    """
    match public_key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return KeyType.EC_P256
        case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()):
            return KeyType.EC_P384
        case rsa.RSAPublicKey(key_size=2048):
            return KeyType.RSA_2048
        case rsa.RSAPublicKey(key_size=4096):
            return KeyType.RSA_4096
    raise Refusal(
        Kind.INVALID,
        "the key is none of ec-p256, ec-p384, rsa-2048 and rsa-4096",
        field="key_type",
    )


def judge_key_id(key_id: str) -> str:
    """Return a key's name, or refuse it: it becomes a file's name or a label elsewhere.

    Raises: Refusal of kind INVALID.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise Refusal(
            Kind.INVALID,
            "a key's name is 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-', no dot first",
            field="key_id",
            value=key_id[:80],
        )
    return key_id
