"""X.509-SVIDs held for workloads, and which of them are due.

The rules (SPIRE BC-01 to BC-05):

- an entry that somebody has an open stream for always has an SVID;
- the others are made ahead, the oldest entries first, up to a limit; not those that decline it;
- an SVID is replaced at the instant fixed on its receipt, and at once when its entry changed or
  its authority was tainted; until its successor is there it is served, as long as it is valid;
- over the limit, those without a stream go, the longest unused first;
- for an entry that is blocked nothing is kept and nothing asked; an SVID that is blocked itself is
  replaced like one that is missing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from agent.cache.entitlement import Entitlement, Entitlements, by_age
from finial.blocks import NOTHING_BLOCKED, Blocks
from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class HeldSvid:
    """An X.509-SVID with its key; `renew_at` was computed once, on receipt. Unix seconds."""

    entry_id: str
    revision_number: int
    spiffe_id: SpiffeId
    chain: tuple[bytes, ...]
    private_key: bytes = field(repr=False)
    serial: int
    authority_key_id: str
    expires_at: int
    renew_at: float

    def serves(self, entitlement: Entitlement) -> bool:
        """Whether it may stand for the entry as it is now: the ID has not become another."""
        return self.spiffe_id == entitlement.spiffe_id


@dataclass(frozen=True, slots=True)
class Plan:
    """What to sign, the most urgent first, and what to let go; both by entry id."""

    sign: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """Who needs SVIDs: entries with an open stream, when others were last used, and the limit."""

    subscribed: frozenset[str] = frozenset()
    last_used: Mapping[str, float] = field(default_factory=dict)
    limit: int = 1000


def plan(
    entitlements: Entitlements,
    held: Mapping[str, HeldSvid],
    demand: Demand,
    tainted: Collection[str],
    now: float,
    *,
    blocks: Blocks = NOTHING_BLOCKED,
) -> Plan:
    """Compare what is held with what should be held."""
    wanted = _wanted(_unblocked(entitlements, blocks, now), held, demand)
    drop = {i for i, svid in held.items() if i not in wanted or svid.expires_at <= now}
    missing = [e for e in wanted.values() if _is_missing(e, held.get(e.id), blocks, now)]
    missing.sort(key=lambda each: (each.id not in demand.subscribed, by_age(each)))
    absent = {each.id for each in missing}
    present = [(e, held[e.id]) for e in wanted.values() if e.id not in absent]
    due = [(svid.expires_at, e.id) for e, svid in present if _is_due(e, svid, tainted, now)]
    sign = (*(each.id for each in missing), *(entry_id for _, entry_id in sorted(due)))
    return Plan(sign, tuple(sorted(drop)))


def next_instant(held: Iterable[HeldSvid], now: float) -> float | None:
    """When the next SVID becomes due or expires; None while nothing is held."""
    instants = (at for svid in held for at in (svid.renew_at, svid.expires_at) if at > now)
    return min(instants, default=None)


def _unblocked(
    entitlements: Iterable[Entitlement], blocks: Blocks, now: float
) -> Iterable[Entitlement]:
    if not blocks:
        return entitlements
    return (e for e in entitlements if blocks.of_entry(e.id, e.spiffe_id, now) is None)


def _wanted(
    entitlements: Iterable[Entitlement], held: Mapping[str, HeldSvid], demand: Demand
) -> dict[str, Entitlement]:
    servable = [each for each in entitlements if each.is_servable]
    wanted = {each.id: each for each in servable if each.id in demand.subscribed}
    others = [e for e in servable if e.id not in wanted and _may_be_kept(e, held)]
    others.sort(key=lambda e: (-demand.last_used.get(e.id, 0.0), e.id not in held, by_age(e)))
    room = max(demand.limit - len(wanted), 0)
    return wanted | {each.id: each for each in others[:room]}


def _may_be_kept(entitlement: Entitlement, held: Mapping[str, HeldSvid]) -> bool:
    return entitlement.id in held or not entitlement.disable_x509_svid_prefetch


def _is_missing(
    entitlement: Entitlement, svid: HeldSvid | None, blocks: Blocks, now: float
) -> bool:
    return (
        svid is None
        or svid.expires_at <= now
        or not svid.serves(entitlement)
        or blocks.of_serial(svid.serial, now) is not None
    )


def _is_due(entitlement: Entitlement, svid: HeldSvid, tainted: Collection[str], now: float) -> bool:
    return (
        svid.renew_at <= now
        or svid.revision_number != entitlement.revision_number
        or svid.authority_key_id in tainted
    )
