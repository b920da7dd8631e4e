"""The revocation lists that were signed last, so that none is signed twice."""

import asyncio
from dataclasses import dataclass, field

from ca.issuance.revocation import Revoked
from finial.blocks import Crl


@dataclass(slots=True)
class RevocationLists:
    """Each authority's latest list with what it revokes; whoever makes new ones holds the lock.

    `seconds` is how long it took the last time.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    seconds: float = 0.0
    latest: dict[str, tuple[tuple[Revoked, ...], Crl]] = field(default_factory=dict)
