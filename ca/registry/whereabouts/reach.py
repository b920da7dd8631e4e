"""Whether any agent gets the entries of a parent, and if none, why.

An agent gets the entries whose parent it is, those below an alias of its node, and those below
entries that it gets (spire-features 7.7).
"""

from difflib import get_close_matches
from itertools import islice
from typing import Final

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.index.node_aliases import is_alias
from ca.registry.nodes.node_index import NodeIndex
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import is_agent

_MOST_ABOVE: Final = 1000
_MOST_COMPARED: Final = 200


def undescribed(alias: Entry, nodes: NodeIndex) -> str:
    """Say that no known node is described by an entry that describes nodes, or nothing."""
    if nodes.knows(alias.selectors):
        return ""
    return (
        "no known agent has these node selectors, so nobody gets the entries below "
        f"{alias.spiffe_id} yet"
    )


def unreached_parent(parent: SpiffeId, entries: EntryIndex, nodes: NodeIndex) -> str:
    """Say why no known agent gets the entries with that parent, or nothing."""
    # Among so many that stand above it, one will be known.
    for count, above in enumerate(entries.above(parent)):
        node = nodes.get(above)
        if count >= _MOST_ABOVE or (node is not None and not node.banned):
            return ""
        if any(is_alias(each) and nodes.knows(each.selectors) for each in entries.granting(above)):
            return ""
    if is_agent(parent):
        return _of_agent(parent, nodes)
    if not entries.granting(parent):
        return (
            f"no entry gives an agent the ID {parent}, so no agent gets this entry: name an "
            "agent's SPIFFE ID as the parent, or make an alias of nodes first"
        )
    return f"no known agent has the ID {parent}, by an alias or an entry, so none gets this entry"


def _of_agent(agent: SpiffeId, nodes: NodeIndex) -> str:
    if nodes.get(agent) is not None:
        return f"the agent {agent} is banned, so it gets no entries until it is evicted and returns"
    known = {str(node.id): node for node in islice(nodes, _MOST_COMPARED)}
    near = get_close_matches(str(agent), known, 1, cutoff=0.8)
    meant = f": did you mean {near[0]}?" if near else ""
    return f"no agent {agent} has attested, so nobody gets this entry yet{meant}"
