"""An agent's explanation is completed by what only the server knows: the entries of others."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ca.registry.entry import Entry
from ca.registry.index.node_aliases import is_alias
from ca.registry.nodes.node import Node
from ca.registry.whereabouts.absence import Registry, why_absent
from ca.registry.whereabouts.lately import Gone
from ca.registry.whereabouts.survey import Sighting
from finial.explain.checkup import span
from finial.explain.evidence import Evidence
from finial.explain.explanation import Elsewhere, Explanation, Fix, Outcome
from finial.explain.shell import join, quote
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import is_agent, server_id

MOST_TOLD: Final = 3
_REFUSED: Final = frozenset({Outcome.REFUSED, Outcome.WOULD_BE_REFUSED})


@dataclass(frozen=True, slots=True)
class Position:
    """Where the agent is: its node, the version of the entries that it has applied, the time."""

    agent: Node
    applied: int
    version_of: dict[str, int]
    now: float


class Completion:
    """Says of each sighting why the agent lacks it, and what to do."""

    def __init__(self, evidence: Evidence, registry: Registry, position: Position) -> None:
        self._evidence = evidence
        self._registry = registry
        self._position = position

    def complete(self, explanation: Explanation, sightings: tuple[Sighting, ...]) -> Explanation:
        """Add what was seen elsewhere; whatever the agent wrote there is dropped."""
        told = {each.entry.id: self._why(each) for each in sightings}
        full = [each for each in sightings if each.matches]
        causes = [self._cause(each, told[each.entry.id]) for each in full[:MOST_TOLD]]
        fixes = [fix for each in full[:1] for fix in self._fixes(each)]
        if explanation.outcome not in _REFUSED:
            causes, fixes = [], []
        forgotten = list(self._forgotten(explanation))
        return msgspec.structs.replace(
            explanation,
            elsewhere=tuple(
                Elsewhere(
                    entry=each.near.report(self._evidence),
                    parent_id=str(each.entry.parent_id),
                    why=told[each.entry.id],
                )
                for each in sightings
            ),
            causes=(*forgotten, *causes, *explanation.causes),
            fixes=(*fixes, *explanation.fixes),
        )

    def _forgotten(self, explanation: Explanation) -> Iterator[str]:
        """Entries that the agent still serves and that are no more, or should be."""
        now = self._position.now
        for report in explanation.matches:
            entry, named = (
                self._registry.entries.get(report.id),
                f"{report.id} for {report.spiffe_id}",
            )
            if entry is None:
                yield (
                    f"the entry {named} is deleted on the server, and this agent has not applied "
                    "that yet"
                )
            elif 0 < entry.expires_at <= now:
                ago = span(now - entry.expires_at)
                yield f"the entry {named} expired {ago} ago, and is deleted within some minutes"

    def _why(self, sighting: Sighting) -> str:
        if sighting.gone is not None:
            return self._farewell(sighting.gone)
        if not sighting.coming:
            return why_absent(sighting.entry, self._position.agent, self._registry)
        version = self._position.version_of.get(sighting.entry.id, 0)
        if version > self._position.applied:
            return (
                f"it is on its way to this agent: it changed with version {version}, and the agent "
                f"has applied {self._position.applied}"
            )
        return "this agent has just learned of it: ask again"

    def _farewell(self, gone: Gone) -> str:
        ago = span(self._position.now - gone.at)
        end = "it expired and was deleted" if gone.expired else "it was deleted"
        return f"{end} {ago} ago"

    def _cause(self, sighting: Sighting, why: str) -> str:
        entry = sighting.entry
        if sighting.gone is not None:
            return f"the entry {entry.id} for {entry.spiffe_id} matches no more: {why}"
        if sighting.coming:
            return f"the entry {entry.id} for {entry.spiffe_id} matches, but {why}"
        return f"the entry {entry.id} for {entry.spiffe_id} matches, but is not this agent's: {why}"

    def _fixes(self, sighting: Sighting) -> Iterator[Fix]:
        entry = sighting.entry
        if sighting.coming:
            yield Fix(what="wait a moment and ask again")
        elif sighting.gone is not None:
            be_there = f"{_powers(entry)}be there"
            yield Fix(
                what=f"register {entry.spiffe_id} again, if it should still {be_there}",
                command=self._create(entry, str(entry.parent_id)),
            )
        else:
            yield from self._transfer(entry)

    def _transfer(self, entry: Entry) -> Iterator[Fix]:
        """Have this agent serve an entry of another: the narrowest way first."""
        if is_alias(entry) or self._is_nobodys(entry.parent_id):
            what = f"give the entry for {entry.spiffe_id} to this agent"
            yield Fix(what=what, command=self._move(entry))
            yield from self._alias(entry)
            return
        create = self._create(entry, str(self._position.agent.id))
        what = f"register {entry.spiffe_id} for this agent too, if it may {_powers(entry)}run there"
        yield Fix(what=what, command=create)
        if is_agent(entry.parent_id) and self._registry.is_away(entry.parent_id):
            what = "or give the entry to this agent, if the other one does not come back"
            yield Fix(what=what, command=self._move(entry))
        yield from self._alias(entry)

    def _is_nobodys(self, parent: SpiffeId) -> bool:
        """Whether that is the ID of an agent that is gone, or one that nothing grants."""
        if is_agent(parent):
            return self._registry.nodes.get(parent) is None
        return not self._registry.entries.granting(parent)

    def _move(self, entry: Entry) -> str:
        agent = quote(str(self._position.agent.id))
        return f"finial entry update {quote(entry.id)} --parent {agent}"

    def _alias(self, entry: Entry) -> Iterator[Fix]:
        """Have the node described by the alias that the entry is below."""
        if is_agent(entry.parent_id) or is_alias(entry):
            return
        node = self._position.agent
        if node.selectors:
            parent, selectors = str(server_id(node.id.trust_domain)), node.selectors
            asked = " ".join(f"--selector {quote(str(each))}" for each in selectors)
        else:
            parent, asked = str(node.id), f"--selector {quote(f'spiffe_id:{node.id}')}"
        yield Fix(
            what=f"or let this node be {entry.parent_id}, which gives it all entries below",
            command=f"finial entry create {quote(str(entry.parent_id))} "
            f"--parent {quote(parent)} {asked}",
        )

    def _create(self, entry: Entry, parent: str) -> str:
        """The command that registers an entry again, unless it would show a secret."""
        hiding = self._evidence.hiding
        if any(hiding.is_secret(each) for each in entry.selectors):
            return ""
        words = ["finial", "entry", "create", str(entry.spiffe_id), "--parent", parent]
        for selector in entry.selectors:
            words += ["--selector", str(selector)]
        return join([*words, *_options(entry, self._position.now)])


def _powers(entry: Entry) -> str:
    """What else whoever has the entry may do, which nobody should give away unawares."""
    powers = ("administer the server", entry.admin), ("issue SVIDs as a server", entry.downstream)
    return "".join(f"{power} and " for power, given in powers if given)


def _options(entry: Entry, now: float) -> Iterator[str]:
    """The options that give another entry the same end, lifetimes, names and switches."""
    if entry.expires_at > now:
        end = dt.datetime.fromtimestamp(entry.expires_at, dt.UTC)
        yield from ("--expires-at", f"{end:%Y-%m-%dT%H:%M:%SZ}")
    for option, number in (
        ("--x509-svid-ttl", entry.x509_svid_ttl),
        ("--jwt-svid-ttl", entry.jwt_svid_ttl),
    ):
        if number:
            yield from (option, str(number))
    for option, texts in (
        ("--dns", entry.dns_names),
        ("--federates-with", tuple(each.name for each in entry.federates_with)),
        ("--hint", (entry.hint,) if entry.hint else ()),
        ("--attribute", tuple(f"{key}={value}" for key, value in entry.attributes)),
    ):
        for text in texts:
            yield from (option, text)
    for option, wanted in (("--admin", entry.admin), ("--downstream", entry.downstream)):
        if wanted:
            yield option
