"""An attempt beside the agent's present state: what matches, what comes near, what is between."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from agent.attestation.attempt import Attempt
from agent.attestation.situation import Situation, State
from agent.cache.entitlement import Entitlement
from finial.explain.evidence import DENIED, FAILED, Evidence, Said
from finial.explain.nearest import Near, nearest

MOST_NEAR: Final = 5


@dataclass(frozen=True)
class Reading:
    """Everything that causes and remedies are concluded from; each part is found out once."""

    attempt: Attempt
    situation: Situation

    @cached_property
    def evidence(self) -> Evidence:
        """What the attestors said, ready to be compared."""
        return Evidence(self.attempt.said, self.situation.grammars)

    @cached_property
    def matches(self) -> tuple[tuple[Entitlement, State], ...]:
        """The entries that give the process an identity, the default one first."""
        selectors = self.evidence.selectors
        found = self.situation.holdings.entitlements.matching(selectors)
        return tuple((each, self.situation.state(each, selectors)) for each in found)

    @cached_property
    def near(self) -> tuple[Near[Entitlement], ...]:
        """The entries that come nearest and give it none."""
        matching = {each.id for each, _ in self.matches}
        others = (e for e in self.situation.holdings.entitlements if e.id not in matching)
        return nearest(others, self.evidence, MOST_NEAR)

    @property
    def unblocked(self) -> tuple[Entitlement, ...]:
        """Those of the matching entries that no administrator has blocked."""
        return tuple(each for each, state in self.matches if state.block is None)

    @property
    def entries(self) -> int:
        """How many entries the agent has."""
        return len(self.situation.holdings.entitlements)

    @property
    def would_be_served(self) -> bool:
        """Whether the process would get an identity if it asked now."""
        return self.situation.holdings.synced and any(not s.blocks for _, s in self.matches)

    @property
    def lacks_what_it_asked_for(self) -> bool:
        """Whether it named a SPIFFE ID that none of its entries grants."""
        wanted = self.attempt.asked_for
        return bool(wanted) and all(str(each.spiffe_id) != wanted for each, _ in self.matches)

    @property
    def silent(self) -> Iterator[Said]:
        """The attestors that failed, or denied the process."""
        return (each for each in self.attempt.said if each.status in (FAILED, DENIED))
