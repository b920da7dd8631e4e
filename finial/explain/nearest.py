"""Which entries come nearest to a process that they do not match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final, Generic, Protocol, TypeVar

from finial.explain.compare import Gap, gaps
from finial.explain.evidence import Evidence, Parts
from finial.explain.explanation import EntryReport
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector

ALIKE: Final = 0.6
"""How alike two selectors are spelled, from 0 to 1, of which one was meant to be the other."""
LOOKED_AT: Final = 64
"""Entries of which every missing selector is compared with everything that was found."""


class Candidate(Protocol):
    """What is asked of a registration entry, an agent's or a server's."""

    @property
    def id(self) -> str:
        """The entry's id."""
        ...

    @property
    def spiffe_id(self) -> SpiffeId:
        """Whom it makes of a process."""
        ...

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What a process must have."""
        ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Near(Generic[C]):
    """An entry, what is missing, and how far away it is: 0 matches, 1 has nothing to do with it."""

    entry: C
    gaps: tuple[Gap, ...]
    distance: float

    @property
    def is_meant(self) -> bool:
        """Whether it is surely not somebody else's: some of it is met, or all is almost met."""
        met = len(self.entry.selectors) > len(self.gaps)
        return met or all(gap.likeness >= ALIKE for gap in self.gaps)

    def report(self, evidence: Evidence, state: str = "") -> EntryReport:
        """Write it for others to read."""
        return entry_report(self.entry, evidence, self.gaps, state)


def entry_report(
    entry: Candidate, evidence: Evidence, missing: Sequence[Gap] = (), state: str = ""
) -> EntryReport:
    """Write an entry for others to read."""
    hiding = evidence.hiding
    return EntryReport(
        id=entry.id,
        spiffe_id=str(entry.spiffe_id),
        selectors=tuple(map(hiding.shown, entry.selectors)),
        missing=tuple(each.report(hiding) for each in missing),
        state=state,
    )


def nearest(entries: Iterable[C], evidence: Evidence, limit: int) -> tuple[Near[C], ...]:
    """At most `limit` entries, the nearest first; those that match have no gaps.

    All are compared coarsely, then the best `LOOKED_AT` of them in detail.
    """
    coarse = [(_coarse(each, evidence), each.id, each) for each in entries if each.selectors]
    best = nsmallest(max(LOOKED_AT, limit), coarse, key=lambda one: one[:2])
    near = [_near(entry, evidence) for _, _, entry in best]
    near.sort(key=lambda one: (one.distance, one.entry.id))
    return tuple(near[:limit])


def _near(entry: C, evidence: Evidence) -> Near[C]:
    found = gaps(entry.selectors, evidence)
    distance = sum(each.distance for each in found) / len(entry.selectors)
    return Near(entry, found, distance)


def _coarse(entry: Candidate, evidence: Evidence) -> float:
    missing = [each for each in entry.selectors if each not in evidence.selectors]
    return sum(_far(Parts.of(each), evidence) for each in missing) / len(entry.selectors)


def _far(parts: Parts, evidence: Evidence) -> float:
    if evidence.has_key(parts):
        return 0.2
    if evidence.has_form(parts) or evidence.same_content(parts):
        return 0.4
    return 0.7 if parts.type in evidence.said else 0.6
