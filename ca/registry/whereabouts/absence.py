"""Why an agent does not have an entry: whose it is instead."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.index.node_aliases import is_alias
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.whereabouts.reach import unreached_parent
from finial.explain.compare import gaps
from finial.explain.evidence import ATTESTED, Evidence, Said
from finial.explain.hiding import Grammars
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import is_agent

_MOST_ALIASES: Final = 64


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that is registered, and which agents are connected."""

    entries: EntryIndex
    nodes: NodeIndex
    grammars: Grammars
    connected: Container[SpiffeId] = ()

    def is_away(self, agent: SpiffeId) -> bool:
        """Whether an agent is unknown, banned, or not connected."""
        node = self.nodes.get(agent)
        return node is None or node.banned or agent not in self.connected


def why_absent(entry: Entry, agent: Node, registry: Registry) -> str:
    """Say in a sentence why the agent does not get an entry, which it does not."""
    parent = entry.parent_id
    if is_alias(entry):
        return "it describes nodes, since its parent is the server, and is served to no workload"
    if is_agent(parent):
        return _of_another(parent, registry)
    bearers = registry.entries.granting(parent)
    aliases = [each for each in bearers if is_alias(each)][:_MOST_ALIASES]
    if aliases:
        return _not_described(parent, aliases, agent, registry)
    if not bearers:
        return f"its parent {parent} is nobody's ID: no agent has it, by an alias or an entry"
    bearer = min(bearers, key=lambda each: each.id)
    return (
        f"its parent {parent} is granted by the entry {bearer.id}, whose parent {bearer.parent_id} "
        "is not this agent"
    )


def _of_another(parent: SpiffeId, registry: Registry) -> str:
    node = registry.nodes.get(parent)
    if node is None:
        return f"its parent is the agent {parent}, which is not known: it never attested or is gone"
    if node.banned:
        return f"its parent is another agent, {parent}, which is banned"
    away = ", which is not connected" if registry.is_away(parent) else ""
    return f"its parent is another agent, {parent}{away}"


def _not_described(parent: SpiffeId, aliases: list[Entry], agent: Node, registry: Registry) -> str:
    said = {each.type for each in agent.selectors}
    evidence = Evidence(
        [
            Said(name, ATTESTED, tuple(s for s in agent.selectors if s.type == name))
            for name in said
        ],
        registry.grammars,
    )
    missing = min((gaps(each.selectors, evidence) for each in aliases), key=len)
    lacks = "; and ".join(f"{evidence.hiding.shown(gap.wanted)}, but {gap.why}" for gap in missing)
    reach = unreached_parent(parent, registry.entries, registry.nodes)
    nobody = ", which describes no known node" if reach else ""
    return f"its parent {parent} is an alias of other nodes{nobody}: it asks for {lacks}"
