"""What a join token proves, and to whom, without being shown.

The token is known to the server for the moment in which it is made, and to the new agent. The
server keeps two values derived from it, one way: its name (`token_id`) and a key (`proof_key`).
An agent that has not yet joined sends the name and a nonce, and gets the bundle with a proof that
only a server which holds the key can make. Nothing is trusted on first use.
"""

import hashlib
import hmac
from typing import Final

NONCE_BYTES: Final = 32
_NAME: Final = b"finial join token id\0"
_KEY: Final = b"finial join token bundle proof"
_PROOF: Final = b"finial bundle proof v1\0"


def token_id(token: str) -> str:
    """Return the name under which a token is remembered and listed: 32 hex digits."""
    return hashlib.sha256(_NAME + token.encode()).digest()[:16].hex()


def proof_key(token: str) -> bytes:
    """Return the key that proves a bundle to whoever holds the token: 32 bytes."""
    return hmac.digest(token.encode(), _KEY, "sha256")


def bundle_proof(key: bytes, nonce: bytes, document: bytes) -> bytes:
    """Prove a bundle document to whoever drew the nonce of 32 bytes: 32 bytes."""
    return hmac.digest(key, _PROOF + nonce + document, "sha256")


def is_proven(key: bytes, nonce: bytes, document: bytes, proof: bytes) -> bool:
    """Whether the proof is the right one, found out in constant time."""
    return hmac.compare_digest(bundle_proof(key, nonce, document), proof)
