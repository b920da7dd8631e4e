"""Entries and SVIDs as an agent holds them, made short."""

from collections.abc import Sequence
from typing import Any

from agent.cache.entitlement import Entitlement
from agent.cache.x509_svids import HeldSvid
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector
from tests.doubles.clock import NOW

TRUST_DOMAIN = TrustDomain("example.org")


def selectors(*texts: str) -> frozenset[Selector]:
    return frozenset(Selector.parse(text) for text in texts)


def workload_id(path: str) -> SpiffeId:
    return SpiffeId(TRUST_DOMAIN, path)


def entitlement(
    id_: str, *demanded: str, path: str = "", federates: Sequence[str] = (), **changes: Any
) -> Entitlement:
    """An entry for `spiffe://example.org/<id>`, demanding `unix:uid:1` unless told otherwise."""
    return Entitlement(
        id=id_,
        spiffe_id=workload_id(path or f"/{id_}"),
        selectors=tuple(sorted(selectors(*(demanded or ("unix:uid:1",))))),
        federates_with=tuple(sorted(map(TrustDomain, federates))),
        **changes,
    )


def held_svid(id_: str, *, path: str = "", left: int = 3600, **changes: Any) -> HeldSvid:
    """An SVID for the entry of that id with so many seconds left, half of them until renewal."""
    values: dict[str, Any] = {
        "entry_id": id_,
        "revision_number": 0,
        "spiffe_id": workload_id(path or f"/{id_}"),
        "chain": (b"leaf of " + id_.encode(),),
        "private_key": b"key of " + id_.encode(),
        "serial": 1,
        "authority_key_id": "aa",
        "expires_at": int(NOW) + left,
        "renew_at": NOW + left / 2,
    }
    return HeldSvid(**{**values, **changes})
