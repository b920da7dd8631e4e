"""A slot: one signing key of ours and the part of the bundle that belongs to it."""

import enum
from dataclasses import dataclass


class Use(enum.StrEnum):
    """What a key signs; X.509 and JWT keys live by the same rules."""

    X509 = "x509"
    JWT = "jwt"


class Phase(enum.StrEnum):
    """Where a slot stands: published, then signing, then kept until all it signed has expired."""

    PREPARED = "prepared"
    ACTIVE = "active"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class Slot:
    """One authority: `document` is the CA certificate (X.509) or the public key (JWT), in DER.

    `authority_id` is the subject key ID in lower-case hex (X.509, SPIRE BX-13) or the `kid` (JWT);
    `key_id` names the key in the key manager. Times are Unix seconds. `last_expiry` is the latest
    expiry of anything it can have signed, known once it is old.
    """

    use: Use
    phase: Phase
    authority_id: str
    key_id: str
    document: bytes
    not_before: int
    not_after: int
    chain: tuple[bytes, ...] = ()
    tainted: bool = False
    last_expiry: int = 0
