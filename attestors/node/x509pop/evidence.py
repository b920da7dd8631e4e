"""The agent's half: it shows a certificate and signs what it is asked to."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from attestors.node.x509pop import payload as wire
from finial.runtime.entropy import Entropy, SystemEntropy
from finial.spiffe.refusal import Kind, Refusal

_PREHASHED = Prehashed(hashes.SHA256())
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Settings:
    """PEM files: the key, the certificate (its chain may follow it) and, if apart, the chain.

    They are read at each attestation.
    """

    private_key_path: str
    certificate_path: str
    intermediates_path: str = ""


class X509popEvidence:
    """Shows the certificate and its chain, then signs the digest of both nonces."""

    name = wire.NAME

    def __init__(self, settings: Settings, entropy: Entropy) -> None:
        self._settings = settings
        self._entropy = entropy
        self._key: _Key | None = None

    async def payload(self) -> bytes:
        """Return the certificates, and keep the key for the challenge.

        Raises: Refusal of kind PRECONDITION: a file is missing, unreadable, or not of the others.
        """
        chain, self._key = await asyncio.to_thread(_read, self._settings)
        return wire.encode_certificates(chain)

    async def respond(self, challenge: bytes) -> bytes:
        """Sign the digest of the server's nonce and our own.

        Raises: Refusal of kind INVALID.
        """
        question = wire.decode_question(challenge)
        if self._key is None:
            raise Refusal(Kind.INVALID, "x509pop: a challenge came before the payload was sent")
        nonce = self._entropy.bytes(wire.NONCE_BYTES)
        digest = wire.digest(question.nonce, nonce)
        return wire.encode_proof(_sign(self._key, question.scheme, nonce, digest))


def create(settings: Settings) -> X509popEvidence:
    """Make the evidence; no file is read yet."""
    return X509popEvidence(settings, SystemEntropy())


def _sign(key: _Key, scheme: wire.Scheme, nonce: bytes, digest: bytes) -> wire.Proof:
    match key, scheme:
        case rsa.RSAPrivateKey(), wire.Scheme.RSA:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
            return wire.RsaProof(nonce, key.sign(digest, pss, _PREHASHED))
        case ec.EllipticCurvePrivateKey(), wire.Scheme.ECDSA:
            r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(_PREHASHED)))
            return wire.EcdsaProof(nonce, r, s)
        case _, wire.Scheme.RSA | wire.Scheme.ECDSA:
            raise Refusal(Kind.INVALID, "x509pop: the challenge is for another kind of key")
    assert_never(scheme)


def _read(settings: Settings) -> tuple[tuple[bytes, ...], _Key]:
    key = _read_key(settings.private_key_path)
    chain = _read_certificates("certificate_path", settings.certificate_path)
    if chain[0].public_key() != key.public_key():
        raise _unusable(
            "certificate_path", settings.certificate_path, "does not belong to the private key"
        )
    if settings.intermediates_path:
        chain += _read_certificates("intermediates_path", settings.intermediates_path)
    return tuple(each.public_bytes(serialization.Encoding.DER) for each in chain), key


def _read_key(path: str) -> _Key:
    try:
        key = serialization.load_pem_private_key(_content("private_key_path", path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Whatever the library says could show a part of the key.
        raise _unusable(
            "private_key_path", path, "does not hold an unencrypted private key in PEM"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _unusable("private_key_path", path, "holds neither an RSA nor an EC key")
    return key


def _read_certificates(field: str, path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(field, path))
    except ValueError as error:
        raise _unusable(field, path, "does not hold certificates in PEM") from error


def _content(field: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unusable(field, path, f"cannot be read ({error.strerror})") from error


def _unusable(field: str, path: str, fault: str) -> Refusal:
    return Refusal(Kind.PRECONDITION, f"x509pop: {path} {fault}", field=field, value=path)
