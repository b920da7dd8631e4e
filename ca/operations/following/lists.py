"""The revocation lists that were signed last, so that none is signed twice."""

import asyncio
from dataclasses import dataclass, field

from ca.issuance.revocation import Revoked
from ca.registry.block.reach import Held
from finial.blocks import Crl


@dataclass(slots=True)
class RevocationLists:
    """Each authority's latest list with what it revokes; whoever makes new ones holds the lock.

    `seconds` is how long it took the last time. `held` are SVIDs that a selector's block hit: an
    entry that names it no more, or is gone, does not make them good again.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    seconds: float = 0.0
    held: frozenset[Held] | None = None
    latest: dict[str, tuple[tuple[Revoked, ...], Crl]] = field(default_factory=dict)
