"""Whether any agent gets the entries of a parent."""

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.whereabouts import reach
from ca.registry.whereabouts.reach import undescribed, unreached_parent
from finial.spiffe.well_known import SERVER_PATH
from tests.doubles.entries import agent, entry, node, selectors, sid

SERVER = sid(SERVER_PATH)
CLUSTER = sid("/cluster")
ALIAS = entry("alias", parent_id=SERVER, spiffe_id=CLUSTER, selectors=selectors("x509pop:name:a"))


def why(asked: Entry, *others: Entry, nodes: tuple[Node, ...] = (node(),)) -> str:
    """Say why nobody gets an entry, among others and with these nodes."""
    entries, known = EntryIndex(), NodeIndex()
    entries.apply((asked, *others))
    known.apply(nodes)
    if asked.parent_id == SERVER:
        return undescribed(asked, known)
    return unreached_parent(asked.parent_id, entries, known)


def test_an_agent_gets_its_own_those_of_its_alias_and_those_below() -> None:
    """By its ID, by an alias of its node, by an entry that it gets (spire-features 7.7)."""
    assert why(entry()) == ""
    assert why(entry(parent_id=CLUSTER), ALIAS) == ""
    below = entry(parent_id=sid("/middle"))
    assert why(below, entry("middle")) == ""


def test_nobody_gets_what_is_below_an_unknown_agent() -> None:
    """An agent that has not attested, or was banned, is named, with one of nearly that name."""
    found = why(entry(parent_id=agent("bb")), nodes=(node("bbb"),))
    assert found.startswith(f"no agent {agent('bb')} has attested")
    assert found.endswith(f"did you mean {agent('bbb')}?")
    assert "did you mean" not in why(entry(), nodes=())
    assert "is banned" in why(entry(), nodes=(node(banned=True),))


def test_nobody_gets_what_is_below_an_id_that_no_agent_has() -> None:
    """No entry gives the ID, or none that an agent has."""
    assert "no entry gives an agent the ID spiffe://example.org/cluster" in why(
        entry(parent_id=CLUSTER)
    )
    middle = entry("middle", parent_id=agent("zzz"))
    assert "by an alias or an entry" in why(entry(parent_id=sid("/middle")), middle)
    assert "by an alias or an entry" in why(entry(parent_id=CLUSTER), ALIAS, nodes=())


def test_an_alias_describes_a_known_node_or_is_warned_about() -> None:
    """All its selectors have to be one node's."""
    assert why(ALIAS) == ""
    both = selectors("x509pop:name:a", "x509pop:name:b")
    other = entry(parent_id=SERVER, spiffe_id=CLUSTER, selectors=both)
    assert "no known agent has these node selectors" in why(other, nodes=(node("a"), node("b")))


def test_the_walk_upwards_is_bounded() -> None:
    """Of a parent with very many above it nothing is said."""
    many = [
        entry(f"e{n}", spiffe_id=CLUSTER, parent_id=agent(f"gone{n}"))
        for n in range(reach._MOST_ABOVE + 1)
    ]
    assert why(entry(parent_id=CLUSTER), *many, nodes=()) == ""
