"""What this agent may serve: the part of each registration entry that it needs to know."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from agent.cache.matching import SelectorIndex
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector


class Stamp(NamedTuple):
    """What tells two states of one entry apart (SPIRE BS-07)."""

    revision_number: int
    created_at: int


class Entitlement(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One registration entry as the agent knows it; names as in SPIRE's `types.Entry`.

    `created_at` is in Unix seconds, 0 where the server did not say.
    """

    id: str
    spiffe_id: SpiffeId
    selectors: tuple[Selector, ...]
    federates_with: tuple[TrustDomain, ...] = ()
    admin: bool = False
    downstream: bool = False
    store_svid: bool = False
    hint: str = ""
    disable_x509_svid_prefetch: bool = False
    jwt_svid_include_jti: bool = False
    revision_number: int = 0
    created_at: int = 0

    @property
    def stamp(self) -> Stamp:
        """Which state of the entry this is."""
        return Stamp(self.revision_number, self.created_at)

    @property
    def is_servable(self) -> bool:
        """Whether workloads may get it: `store_svid` entries only feed stores (SPIRE 7.8).

        An entry without selectors would be everybody's, so it is nobody's.
        """
        return bool(self.selectors) and not self.store_svid


class Entitlements:
    """All entries this agent may serve; never changed, only replaced by a newer state."""

    __slots__ = ("_by_id", "_index")

    def __init__(self, entitlements: Iterable[Entitlement] = ()) -> None:
        self._by_id = {each.id: each for each in entitlements}
        servable = sorted((e for e in self._by_id.values() if e.is_servable), key=by_age)
        self._index = SelectorIndex((each.selectors, each) for each in servable)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Entitlement]:
        return iter(self._by_id.values())

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self._by_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entitlements) and self._by_id == other._by_id

    __hash__ = None  # type: ignore[assignment]

    def get(self, entry_id: str) -> Entitlement | None:
        """Find an entry by its id."""
        return self._by_id.get(entry_id)

    def matching(self, selectors: Collection[Selector]) -> tuple[Entitlement, ...]:
        """The entries all of whose selectors the workload has, the oldest first."""
        return tuple(sorted(self._index.matching(selectors), key=by_age))

    def outdated(self, stamps: Mapping[str, Stamp]) -> tuple[str, ...]:
        """Which of the listed entries have to be fetched, sorted by id."""
        return tuple(sorted(i for i, stamp in stamps.items() if not self._is_current(i, stamp)))

    def merged(self, stamps: Mapping[str, Stamp], fetched: Iterable[Entitlement]) -> "Entitlements":
        """Join what is still current with what was fetched; whatever else was known is gone.

        An outdated entry that the server did not answer is no longer ours (SPIRE 6.3, step 5).
        """
        kept = [each for i, each in self._by_id.items() if i in stamps and each.stamp == stamps[i]]
        return Entitlements([*kept, *fetched])

    def federated_domains(self) -> frozenset[TrustDomain]:
        """The trust domains whose bundles some workload here needs."""
        return frozenset(domain for each in self for domain in each.federates_with)

    def _is_current(self, entry_id: str, stamp: Stamp) -> bool:
        known = self._by_id.get(entry_id)
        return known is not None and known.stamp == stamp


def by_age(entitlement: Entitlement) -> tuple[int, str]:
    """The order of identities: the oldest entry is the default one, then the smaller id.

    Spec: Workload API section 8 (WAPI-53).
    """
    return (entitlement.created_at, entitlement.id)
