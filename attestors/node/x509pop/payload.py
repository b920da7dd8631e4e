"""What travels: JSON with bytes in standard base64, exactly as SPIRE's x509pop has it.

The payload is `{"certificates": [leaf, intermediate, ...]}` in DER. A challenge and its response
have one member for each kind of key, `rsa_signature` and `ecdsa_signature`, one of them null.
"""

import base64
import binascii
import enum
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from finial.spiffe.json.strict_json import loads_object
from finial.spiffe.refusal import Kind, Refusal

NAME: Final = "x509pop"
NONCE_BYTES: Final = 32
MAX_CERTIFICATES: Final = 32
MAX_BYTES: Final = 256 * 1024


class Scheme(enum.Enum):
    """How the key signs; the value is the member's name on the wire."""

    RSA = "rsa_signature"
    ECDSA = "ecdsa_signature"


@dataclass(frozen=True, slots=True)
class Question:
    """What the verifier wants signed."""

    scheme: Scheme
    nonce: bytes


@dataclass(frozen=True, slots=True)
class RsaProof:
    """RSA-PSS over the digest, MGF1 and digest with SHA-256, a salt of any length."""

    nonce: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class EcdsaProof:
    """ECDSA over the digest: two whole numbers."""

    nonce: bytes
    r: int
    s: int


Proof = RsaProof | EcdsaProof


def digest(challenge_nonce: bytes, response_nonce: bytes) -> bytes:
    """Return what is signed: SHA-256 over both nonces, so that neither side chooses it alone."""
    return hashlib.sha256(challenge_nonce + response_nonce).digest()


def encode_certificates(chain: tuple[bytes, ...]) -> bytes:
    """Write the payload; DER, leaf first."""
    return _dump({"certificates": [_text(der) for der in chain]})


def decode_certificates(payload: bytes) -> tuple[bytes, ...]:
    """Read the payload: 1 to 32 certificates in DER, not yet looked at.

    Raises: Refusal of kind INVALID.
    """
    members = loads_object(payload, max_bytes=MAX_BYTES).get("certificates")
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_CERTIFICATES:
        raise _invalid(f"the payload holds 1 to {MAX_CERTIFICATES} certificates", "certificates")
    return tuple(_bytes(each, "certificates") for each in members)


def encode_question(question: Question) -> bytes:
    """Write a challenge."""
    return _one_of(question.scheme, {"nonce": _text(question.nonce)})


def decode_question(challenge: bytes) -> Question:
    """Read a challenge.

    Raises: Refusal of kind INVALID.
    """
    scheme, member = _only(challenge)
    return Question(scheme, _nonce(member))


def encode_proof(proof: Proof) -> bytes:
    """Write a response; r and s are big-endian without leading zero bytes."""
    nonce = {"nonce": _text(proof.nonce)}
    if isinstance(proof, RsaProof):
        return _one_of(Scheme.RSA, {**nonce, "signature": _text(proof.signature)})
    r, s = (_text(_shortest(number)) for number in (proof.r, proof.s))
    return _one_of(Scheme.ECDSA, {**nonce, "r": r, "s": s})


def decode_proof(response: bytes) -> Proof:
    """Read a response.

    Raises: Refusal of kind INVALID.
    """
    scheme, member = _only(response)
    nonce = _nonce(member)
    if scheme is Scheme.RSA:
        return RsaProof(nonce, _bytes(member.get("signature"), "signature"))
    r, s = (int.from_bytes(_bytes(member.get(each), each), "big") for each in ("r", "s"))
    return EcdsaProof(nonce, r, s)


def _one_of(scheme: Scheme, member: dict[str, str]) -> bytes:
    return _dump({each.value: member if each is scheme else None for each in Scheme})


def _only(document: bytes) -> tuple[Scheme, dict[str, object]]:
    members = loads_object(document, max_bytes=MAX_BYTES)
    given = [each for each in Scheme if members.get(each.value) is not None]
    if len(given) != 1:
        raise _invalid("exactly one of rsa_signature and ecdsa_signature is wanted", "")
    member = members[given[0].value]
    if not isinstance(member, dict):
        raise _invalid("the member is not an object", given[0].value)
    return given[0], member


def _nonce(member: dict[str, object]) -> bytes:
    nonce = _bytes(member.get("nonce"), "nonce")
    if len(nonce) != NONCE_BYTES:
        raise _invalid(f"a nonce has {NONCE_BYTES} bytes", "nonce")
    return nonce


def _bytes(value: object, field: str) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _invalid("the value is not standard base64", field)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _shortest(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _invalid(fault: str, field: str) -> Refusal:
    return Refusal(Kind.INVALID, f"x509pop: {fault}", field=field)
