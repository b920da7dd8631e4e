"""What a process would match if its agent had other entries: those of others, and former ones.

What an agent has, it compares by itself; it is looked at here only for what has not arrived yet.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ca.registry.entry import Entry
from ca.registry.whereabouts.lately import Gone
from finial.explain.evidence import Evidence
from finial.explain.nearest import Near, nearest

MOST_SHOWN: Final = 10
FEW_ENTRIES: Final = 2000
"""Of so many entries all are compared, of more only those of which a selector is met."""
_FAR: Final = 0.3


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entry that the agent lacks: another's, one that is `gone`, or one that is on its way."""

    near: Near[Entry]
    gone: Gone | None = None
    coming: bool = False

    @property
    def entry(self) -> Entry:
        """The entry."""
        return self.near.entry

    @property
    def matches(self) -> bool:
        """Whether the process has everything that it asks for."""
        return not self.near.gaps


@dataclass(frozen=True, slots=True)
class Field:
    """What is looked through: all entries, the ids of the agent's own, and those that are gone."""

    entries: Sequence[Entry]
    own: frozenset[str]
    gone: tuple[Gone, ...]


def survey(
    field: Field, evidence: Evidence, *, matched: Collection[str], granted: Collection[str]
) -> tuple[Sighting, ...]:
    """The entries that match, or nearly do, the nearest first, at most `MOST_SHOWN`.

    `matched` are the ids of entries that the agent matches by its own word, `granted` the SPIFFE
    IDs that the process has by them, which nobody misses. It takes a while with many entries.
    """
    foreign = [each for each in _promising(field, evidence) if str(each.spiffe_id) not in granted]
    lost = {
        each.entry.id: each
        for each in field.gone
        if str(each.entry.spiffe_id) not in granted and not each.entry.store_svid
    }
    former = _close((each.entry for each in lost.values()), evidence)
    found = [
        *(Sighting(near, coming=True) for near in _coming(field, evidence, matched)),
        *map(Sighting, _close(foreign, evidence)),
    ]
    found += [Sighting(near, gone=lost[near.entry.id]) for near in former]
    found.sort(key=lambda each: (each.near.distance, not each.coming, each.entry.id))
    return tuple(found[:MOST_SHOWN])


def _promising(field: Field, evidence: Evidence) -> Iterable[Entry]:
    """The entries of others that are worth a comparison: cheap, since there may be very many.

    Those for stores give no workload anything, whoever has them.
    """
    foreign = (each for each in field.entries if each.id not in field.own and not each.store_svid)
    if len(field.entries) <= FEW_ENTRIES:
        return foreign
    return (each for each in foreign if not evidence.selectors.isdisjoint(each.selectors))


def _coming(field: Field, evidence: Evidence, matched: Collection[str]) -> list[Near[Entry]]:
    """The agent's own entries that match and that it does not know of."""
    found = evidence.selectors
    return [
        Near(each, (), 0.0)
        for each in field.entries
        if each.id in field.own
        and each.id not in matched
        and not each.store_svid
        and found.issuperset(each.selectors)
    ]


def _close(entries: Iterable[Entry], evidence: Evidence) -> list[Near[Entry]]:
    near = nearest(entries, evidence, MOST_SHOWN)
    return [each for each in near if each.distance <= _FAR]
