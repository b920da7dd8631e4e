"""For whom a proxy may ask: the identities of its own process, and whom these have to do with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.access.reasons import Obstacle
from agent.cache.entitlement import Entitlement
from agent.cache.view import Holdings
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True)
class Callee:
    """An identity of the proxy: its entries, and the bundles by which its callers are known."""

    id: SpiffeId
    entries: tuple[Entitlement, ...]
    bundles: Mapping[TrustDomain, Bundle]


@dataclass(frozen=True, slots=True)
class Asker:
    """A proxy as it was attested, and the callees it may ask for, whether blocked or not."""

    selectors: frozenset[Selector]
    callees: Mapping[SpiffeId, Callee]

    @classmethod
    def of(cls, holdings: Holdings, selectors: frozenset[Selector]) -> "Asker":
        """Find the identities of a process with these selectors."""
        entries: dict[SpiffeId, list[Entitlement]] = {}
        for each in holdings.entitlements.matching(selectors):
            entries.setdefault(each.spiffe_id, []).append(each)
        return cls(
            selectors,
            {
                id_: Callee(id_, tuple(some), _bundles(holdings, some))
                for id_, some in entries.items()
            },
        )

    def callee(self, named: str) -> Callee | Obstacle:
        """The callee that a request is for: the only one there is, or the one that is named."""
        if not self.callees:
            return Obstacle.NO_CALLEE
        if named:
            found = next((each for each in self.callees.values() if str(each.id) == named), None)
            return found or Obstacle.CALLEE_NOT_YOURS
        if len(self.callees) > 1:
            return Obstacle.CALLEE_UNNAMED
        [only] = self.callees.values()
        return only


def _bundles(holdings: Holdings, entries: Iterable[Entitlement]) -> Mapping[TrustDomain, Bundle]:
    domains = {holdings.trust_domain, *(d for each in entries for d in each.federates_with)}
    return {each: holdings.bundles[each] for each in domains if each in holdings.bundles}
