"""A row of the ledger: one SVID that was issued."""

import enum
from dataclasses import dataclass


class SvidKind(enum.Enum):
    """What kind of document was issued."""

    X509 = "x509"
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Issued:
    """An SVID that left the server, or is about to.

    `serial` is the decimal serial number of an X509-SVID or the `jti` of a JWT-SVID; `entry_id`
    and `agent_id` are empty where there was none (an agent's own SVID, a minted one).
    """

    kind: SvidKind
    serial: str
    spiffe_id: str
    authority_id: str
    issued_at: int
    expires_at: int
    entry_id: str = ""
    agent_id: str = ""
