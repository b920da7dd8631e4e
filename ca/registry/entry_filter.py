"""Which entries a list or a count asks for."""

from dataclasses import dataclass

from ca.registry.entry import Entry
from ca.registry.match import Match, judge_asked
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """What all has to be true of an entry; None leaves that question out.

    Raises: Refusal of kind INVALID when it is made with an empty set.
    """

    spiffe_id: SpiffeId | None = None
    parent_id: SpiffeId | None = None
    selectors: frozenset[Selector] | None = None
    selectors_match: Match = Match.EXACT
    federates_with: frozenset[TrustDomain] | None = None
    federates_with_match: Match = Match.EXACT
    hint: str | None = None
    downstream: bool | None = None

    def __post_init__(self) -> None:
        judge_asked(self.selectors, "selectors")
        judge_asked(self.federates_with, "federates_with")

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is asked for."""
        return self._names(entry) and self._describes(entry)

    def _names(self, entry: Entry) -> bool:
        return (
            (self.spiffe_id is None or entry.spiffe_id == self.spiffe_id)
            and (self.parent_id is None or entry.parent_id == self.parent_id)
            and (self.hint is None or entry.hint == self.hint)
            and (self.downstream is None or entry.downstream == self.downstream)
        )

    def _describes(self, entry: Entry) -> bool:
        return (
            self.selectors is None or self.selectors_match.accepts(entry.selectors, self.selectors)
        ) and (
            self.federates_with is None
            or self.federates_with_match.accepts(entry.federates_with, self.federates_with)
        )


def similar(one: Entry, other: Entry) -> bool:
    """Whether the two grant the same ID under the same parent to the same selectors (BE-11)."""
    return (
        one.spiffe_id == other.spiffe_id
        and one.parent_id == other.parent_id
        and frozenset(one.selectors) == frozenset(other.selectors)
    )
