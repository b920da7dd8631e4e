"""Who is whose parent among the entries, kept while entries come and go.

A family is all entries with one parent ID. A family leads to another when one of its entries
bears the other's parent ID. Both relations are kept at each change, so that following them asks
no entry twice: what an agent may have is a walk over families, not over entries.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter

from ca.registry.entry import Entry
from ca.registry.index.ordered import Ordered
from finial.spiffe.identity import SpiffeId

_by_id = attrgetter("id")


class Family:
    """The entries of one parent, by entry ID; `leads_to` counts its ways to other families."""

    __slots__ = ("entries", "leads_to", "parent")

    def __init__(self, parent: SpiffeId) -> None:
        self.parent = parent
        self.entries: Ordered[Entry] = Ordered(_by_id)
        self.leads_to: dict[SpiffeId, int] = {}


class Kinship:
    """All families, and the entries that bear each SPIFFE ID.

    `version` grows whenever a family, or a way between two, appears or disappears.
    """

    def __init__(self) -> None:
        self.version = 0
        self._families: dict[SpiffeId, Family] = {}
        # Most IDs are borne by one entry; only others pay for a dict.
        self._bearers: dict[SpiffeId, Entry | dict[str, Entry]] = {}

    def parent(self, like: SpiffeId) -> SpiffeId | None:
        """The equal SPIFFE ID that is kept here already as a parent."""
        family = self._families.get(like)
        return family.parent if family else None

    def family(self, parent: SpiffeId) -> Family | None:
        """The entries with that parent."""
        return self._families.get(parent)

    def bearers(self, spiffe_id: SpiffeId) -> Iterable[Entry]:
        """The entries that grant this SPIFFE ID."""
        found = self._bearers.get(spiffe_id)
        if found is None:
            return ()
        return found.values() if isinstance(found, dict) else (found,)

    def add(self, entry: Entry) -> None:
        """Take in an entry that is not here yet."""
        family = self._families.get(entry.parent_id) or self._found(entry.parent_id)
        family.entries.add(entry)
        if entry.spiffe_id in self._families:
            self._link(family, entry.spiffe_id)
        self._bear(entry)

    def remove(self, entry: Entry) -> None:
        """Let go of an entry that is here."""
        self._unbear(entry)
        family = self._families[entry.parent_id]
        family.entries.remove(entry)
        if entry.spiffe_id in family.leads_to:
            self._unlink(family, entry.spiffe_id)
        if not len(family.entries):
            self._dissolve(family)

    def below(self, roots: Iterable[SpiffeId]) -> dict[SpiffeId, Family]:
        """Every family that can be reached from these parents, cycles or not."""
        reached: dict[SpiffeId, Family] = {}
        waiting = list(roots)
        while waiting:
            parent = waiting.pop()
            family = self._families.get(parent)
            if family is not None and parent not in reached:
                reached[parent] = family
                waiting.extend(family.leads_to)
        return reached

    def above(self, parents: Iterable[SpiffeId]) -> Iterator[SpiffeId]:
        """These parents and every ID from which their families can be reached."""
        seen: set[SpiffeId] = set()
        waiting = list(parents)
        while waiting:
            parent = waiting.pop()
            if parent not in seen:
                seen.add(parent)
                yield parent
                waiting.extend(entry.parent_id for entry in self.bearers(parent))

    def _found(self, parent: SpiffeId) -> Family:
        self.version += 1
        family = self._families[parent] = Family(parent)
        for bearer in self.bearers(parent):
            self._link(self._families[bearer.parent_id], parent)
        return family

    def _dissolve(self, family: Family) -> None:
        self.version += 1
        del self._families[family.parent]
        for bearer in self.bearers(family.parent):
            self._unlink(self._families[bearer.parent_id], family.parent)

    def _link(self, family: Family, to: SpiffeId) -> None:
        count = family.leads_to.get(to, 0)
        family.leads_to[to] = count + 1
        if not count:
            self.version += 1

    def _unlink(self, family: Family, to: SpiffeId) -> None:
        family.leads_to[to] -= 1
        if not family.leads_to[to]:
            del family.leads_to[to]
            self.version += 1

    def _bear(self, entry: Entry) -> None:
        found = self._bearers.setdefault(entry.spiffe_id, entry)
        if isinstance(found, dict):
            found[entry.id] = entry
        elif found is not entry:
            self._bearers[entry.spiffe_id] = {found.id: found, entry.id: entry}

    def _unbear(self, entry: Entry) -> None:
        found = self._bearers[entry.spiffe_id]
        if isinstance(found, dict) and len(found) > 1:
            del found[entry.id]
        else:
            del self._bearers[entry.spiffe_id]
