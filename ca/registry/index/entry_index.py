"""All registration entries in memory, in the shapes in which they are asked for."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Final

import msgspec

from ca.registry.entry import Entry
from ca.registry.entry_filter import EntryFilter, similar
from ca.registry.index.kinship import Family, Kinship
from ca.registry.index.node_aliases import NodeAliases, is_alias
from ca.registry.index.ordered import Ordered
from ca.registry.page import Page, cut, foreign_token
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import is_agent

_entry_id = attrgetter("id")
_MOST_REMEMBERED: Final = 4096
_FEW: Final = 1000


@dataclass(frozen=True, slots=True)
class Touched:
    """Whom a change of entries can concern: these agents, and the nodes of these aliases.

    `aliases` holds the selector sets of the aliases, of which a node must have all of one.
    """

    agents: frozenset[SpiffeId] = frozenset()
    aliases: frozenset[frozenset[Selector]] = frozenset()

    def concerns(self, agent: SpiffeId, node_selectors: Collection[Selector]) -> bool:
        """Whether the agent with these node selectors may now have other entries."""
        return agent in self.agents or any(alias.issubset(node_selectors) for alias in self.aliases)

    def __or__(self, other: "Touched") -> "Touched":
        return Touched(self.agents | other.agents, self.aliases | other.aliases)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The families that an agent's entries come from, good for one state of the kinship."""

    selectors: Collection[Selector]
    version: tuple[int, int]
    families: dict[SpiffeId, Family]


def _creation(entry: Entry) -> tuple[int, str]:
    return entry.created_at, entry.id


class EntryIndex:
    """The entries of the trust domain; belongs to one thread.

    Values that repeat are kept once: an entry that is given back is equal to the one that was
    applied, not the same object.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_creation: Ordered[Entry] = Ordered(_creation)
        self._kinship = Kinship()
        self._aliases = NodeAliases()
        self._likeness: dict[int, Entry] = {}
        self._admins: Counter[SpiffeId] = Counter()
        self._downstreams: Counter[SpiffeId] = Counter()
        self._reaches: dict[SpiffeId, _Reach] = {}
        self._selectors: dict[Selector, Selector] = {}
        self._domains: dict[TrustDomain, TrustDomain] = {}
        self._federations: dict[tuple[TrustDomain, ...], tuple[TrustDomain, ...]] = {}
        self._removals = 0

    def __len__(self) -> int:
        return len(self._entries)

    def apply(self, upserts: Iterable[Entry], deleted: Iterable[str] = ()) -> Touched:
        """Take in what changed, entries that are new or other than before and IDs that are gone.

        Returns whom it can concern. An ID that is not here is no error.
        """
        new = {entry.id: entry for entry in upserts}
        leaving = {*new, *deleted}
        old = [entry for id_ in leaving if (entry := self._entries.get(id_))]
        touched = self.touched(old)
        for entry in old:
            self._remove(entry)
        # In the order of IDs, in which families grow at their end.
        for entry in sorted(new.values(), key=_entry_id):
            self._add(self._kept_once(entry))
        self._forget_unused()
        return touched | self.touched(new.values())

    def get(self, entry_id: str) -> Entry | None:
        """Find an entry by its ID."""
        return self._entries.get(entry_id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_creation)

    def children(self, parent: SpiffeId) -> tuple[Entry, ...]:
        """The entries with that parent, by entry ID."""
        family = self._kinship.family(parent)
        return family.entries.snapshot() if family else ()

    def granting(self, spiffe_id: SpiffeId) -> tuple[Entry, ...]:
        """The entries that grant that SPIFFE ID, in no order."""
        return tuple(self._kinship.bearers(spiffe_id))

    def above(self, parent: SpiffeId) -> Iterator[SpiffeId]:
        """The parent itself and every ID whose bearer gets its entries; nothing may change."""
        return self._kinship.above((parent,))

    def find_similar(self, entry: Entry) -> Entry | None:
        """Find another entry with the same ID, parent and selectors (BE-11)."""
        found = self._likeness.get(_likeness(entry))
        if found is None or found.id == entry.id or not similar(found, entry):
            return None
        return found

    def has_admin(self, spiffe_id: SpiffeId) -> bool:
        """Whether an entry makes that ID an administrator, whoever its parent is."""
        return self._admins[spiffe_id] > 0

    def has_downstream(self, spiffe_id: SpiffeId) -> bool:
        """Whether an entry makes that ID a downstream server, whoever its parent is."""
        return self._downstreams[spiffe_id] > 0

    def authorized(
        self, agent: SpiffeId, node_selectors: Collection[Selector]
    ) -> tuple[Entry, ...]:
        """The entries that the agent serves, by entry ID.

        They are its children, theirs and so on, and those below the aliases of its node; the
        aliases themselves are not among them (spire-features 7.7).
        """
        families = sorted(
            (family.entries for family in self._families(agent, node_selectors).values()), key=len
        )
        if not families:
            return ()
        if len(families) == 1:
            return families[0].snapshot()
        merged = list(families.pop().snapshot())
        for entries in families:
            merged += entries
        merged.sort(key=_entry_id)
        return tuple(merged)

    def authorized_entry(
        self, agent: SpiffeId, node_selectors: Collection[Selector], entry_id: str
    ) -> Entry | None:
        """Find one entry among those that the agent serves, however many they are."""
        entry = self._entries.get(entry_id)
        if entry is None or entry.parent_id not in self._families(agent, node_selectors):
            return None
        return entry

    def touched(self, entries: Iterable[Entry]) -> Touched:
        """Whom a change of these entries can concern, by what stands in the index now."""
        entries = tuple(entries)
        agents: set[SpiffeId] = set()
        aliases = {frozenset(entry.selectors) for entry in entries if is_alias(entry)}
        for above in self._kinship.above({entry.parent_id for entry in entries}):
            if is_agent(above):
                agents.add(above)
            bearers = self._kinship.bearers(above)
            aliases.update(frozenset(each.selectors) for each in bearers if is_alias(each))
        return Touched(frozenset(agents), frozenset(aliases))

    def count(self, which: EntryFilter | None = None) -> int:
        """How many entries the filter asks for."""
        if which is None:
            return len(self._entries)
        return sum(map(which.matches, self._candidates(which, "")))

    def page(self, which: EntryFilter | None, size: int, token: str = "") -> Page[Entry]:
        """One page in the order of creation; a size of 0 takes everything.

        Raises: Refusal of kind INVALID for a negative size and a token of someone else.
        """
        candidates = self._candidates(which, token)
        matching = candidates if which is None else filter(which.matches, candidates)
        items, more = cut(matching, size)
        return Page(items, _token(items[-1]) if more else "")

    def _candidates(self, which: EntryFilter | None, token: str) -> Iterable[Entry]:
        after = _place(token)
        few = None if which is None else self._few(which)
        if few is not None:
            return sorted((e for e in few if _creation(e) > after), key=_creation)
        return self._by_creation.after(after)

    def _few(self, which: EntryFilter) -> Collection[Entry] | None:
        if which.parent_id is not None:
            family = self._kinship.family(which.parent_id)
            if family is None:
                return ()
            if len(family.entries) <= _FEW:
                return family.entries.snapshot()
        if which.spiffe_id is not None:
            bearers = tuple(self._kinship.bearers(which.spiffe_id))
            if len(bearers) <= _FEW:
                return bearers
        return None

    def _families(self, agent: SpiffeId, selectors: Collection[Selector]) -> dict[SpiffeId, Family]:
        version = self._kinship.version, self._aliases.version
        known = self._reaches.get(agent)
        if known and known.version == version and known.selectors == selectors:
            return known.families
        roots = [agent, *(alias.spiffe_id for alias in self._aliases.of_node(selectors))]
        families = self._kinship.below(roots)
        if len(self._reaches) >= _MOST_REMEMBERED:
            self._reaches.clear()
        self._reaches[agent] = _Reach(selectors, version, families)
        return families

    def _add(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        self._by_creation.add(entry)
        self._kinship.add(entry)
        self._likeness[_likeness(entry)] = entry
        if is_alias(entry):
            self._aliases.add(entry)
        if entry.admin:
            self._admins[entry.spiffe_id] += 1
        if entry.downstream:
            self._downstreams[entry.spiffe_id] += 1

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.id]
        self._by_creation.remove(entry)
        self._kinship.remove(entry)
        key = _likeness(entry)
        if self._likeness.get(key) is entry:
            del self._likeness[key]
        if is_alias(entry):
            self._aliases.remove(entry)
        if entry.admin:
            _uncount(self._admins, entry.spiffe_id)
        if entry.downstream:
            _uncount(self._downstreams, entry.spiffe_id)
        self._removals += 1

    def _kept_once(self, entry: Entry) -> Entry:
        """The same entry made of values that other entries hold already."""
        shared = self._selectors.setdefault
        spiffe_id = self._id(entry.spiffe_id)
        parent_id = self._kinship.parent(entry.parent_id) or self._id(entry.parent_id)
        selectors = [shared(each, each) for each in entry.selectors]
        federates_with = self._federations.setdefault(entry.federates_with, entry.federates_with)
        if (
            spiffe_id is entry.spiffe_id
            and parent_id is entry.parent_id
            and federates_with is entry.federates_with
            and all(map(is_, selectors, entry.selectors))
        ):
            return entry
        return msgspec.structs.replace(
            entry,
            spiffe_id=spiffe_id,
            parent_id=parent_id,
            selectors=tuple(selectors),
            federates_with=federates_with,
        )

    def _id(self, like: SpiffeId) -> SpiffeId:
        for bearer in self._kinship.bearers(like):
            return bearer.spiffe_id
        domain = self._domains.setdefault(like.trust_domain, like.trust_domain)
        return like if domain is like.trust_domain else SpiffeId(domain, like.path)

    def _forget_unused(self) -> None:
        """Let go of shared values that no entry holds any more, when many entries have left."""
        if self._removals <= max(len(self._entries), _FEW):
            return
        self._removals = 0
        held = {s: s for entry in self._entries.values() for s in entry.selectors}
        self._selectors = held
        self._federations = {e.federates_with: e.federates_with for e in self._entries.values()}


def _uncount(counter: Counter[SpiffeId], spiffe_id: SpiffeId) -> None:
    counter[spiffe_id] -= 1
    if not counter[spiffe_id]:
        del counter[spiffe_id]


def _likeness(entry: Entry) -> int:
    # Only the hash is kept: whoever finds something by it compares.
    return hash((entry.spiffe_id.path, entry.parent_id.path, entry.selectors))


def _token(entry: Entry) -> str:
    return f"{entry.created_at}-{entry.id}"


def _place(token: str) -> tuple[int, str]:
    if not token:
        return -1, ""
    created_at, dash, entry_id = token.partition("-")
    if not (dash and entry_id and created_at.isascii() and created_at.isdigit()):
        raise foreign_token(token)
    if len(created_at) > 18:
        raise foreign_token(token)
    return int(created_at), entry_id
