"""The payload is the token itself, as it was given, in UTF-8 (SPIRE's wire format)."""

from typing import Final

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.join_proof import bundle_proof, is_proven, proof_key, token_id

__all__ = [
    "MAX_BYTES",
    "NAME",
    "bundle_proof",
    "decode",
    "encode",
    "is_proven",
    "proof_key",
    "token_id",
]

NAME: Final = "join_token"
MAX_BYTES: Final = 1024


def encode(token: str) -> bytes:
    """Write the payload."""
    return token.encode()


def decode(payload: bytes) -> str:
    """Read the payload.

    Raises: Refusal of kind INVALID, which never repeats the token.
    """
    try:
        token = payload.decode()
    except UnicodeDecodeError:
        raise Refusal(Kind.INVALID, "the join token is not text", field="payload") from None
    if not token or len(payload) > MAX_BYTES:
        raise Refusal(Kind.INVALID, f"a join token has 1 to {MAX_BYTES} bytes", field="payload")
    return token
