"""Why an agent does not have an entry, in a sentence that is true whatever comes together."""

import pytest

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.whereabouts.absence import Registry, why_absent
from ca.registry.whereabouts.lately import MOST_CHANGED, MOST_GONE, Lately
from finial.spiffe.well_known import SERVER_PATH
from tests.doubles.entries import agent, entry, node, selectors, sid
from tests.doubles.vocabulary import WORDS

SERVER = sid(SERVER_PATH)
HERE = node("here", selectors=selectors("x509pop:subject:cn:here"))
CLUSTER = sid("/cluster")


def registry(*entries: Entry, nodes: tuple[Node, ...] = ()) -> Registry:
    """Everything that is registered, for agents here and elsewhere."""
    index, known = EntryIndex(), NodeIndex()
    index.apply(entries)
    known.apply((HERE, *nodes))
    return Registry(index, known, WORDS.grammars, {agent("on")})


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ((), "which is not known: it never attested or is gone"),
        ((node("b", banned=True),), "which is banned"),
        ((node("b"),), f"its parent is another agent, {agent('b')}, which is not connected"),
    ],
)
def test_the_parent_is_another_agent(nodes: tuple[Node, ...], words: str) -> None:
    """Whether that agent is known, banned, or simply another one."""
    other = entry(parent_id=agent("b"))
    assert words in why_absent(other, HERE, registry(other, nodes=nodes))


def test_the_parent_is_an_agent_that_is_there() -> None:
    """Then the entry is simply not this agent's."""
    other = entry(parent_id=agent("on"))
    found = why_absent(other, HERE, registry(other, nodes=(node("on"),)))
    assert found == f"its parent is another agent, {agent('on')}"


def test_the_parent_is_an_alias_of_other_nodes() -> None:
    """The nearest alias is compared with the node's own selectors."""
    below = entry(parent_id=CLUSTER)
    far = selectors("x509pop:subject:cn:x", "tpm_devid:a:b")
    near = selectors("x509pop:subject:cn:hera")
    aliases = (
        entry("far", parent_id=SERVER, spiffe_id=CLUSTER, selectors=far),
        entry("near", parent_id=SERVER, spiffe_id=CLUSTER, selectors=near),
    )
    found = why_absent(below, HERE, registry(below, *aliases))
    assert "is an alias of other nodes, which describes no known node" in found
    assert "x509pop:subject:cn:hera, but x509pop:subject cn is 'here', not 'hera'" in found
    known = node("there", selectors=near)
    assert "describes no" not in why_absent(below, HERE, registry(below, *aliases, nodes=(known,)))


def test_the_parent_is_nobodys_or_another_entrys_id() -> None:
    """An ID that no entry grants, or one that is granted under another agent."""
    below = entry(parent_id=CLUSTER)
    assert "is nobody's ID" in why_absent(below, HERE, registry(below))
    between = entry("between", spiffe_id=CLUSTER, parent_id=agent("b"))
    found = why_absent(below, HERE, registry(below, between))
    assert "is granted by the entry between" in found
    assert "is not this agent" in found


def test_an_alias_is_served_to_no_workload() -> None:
    """A parent that is the server makes an entry describe nodes."""
    alias = entry(parent_id=SERVER)
    assert "it describes nodes" in why_absent(alias, HERE, registry(alias))


def test_what_is_remembered_is_bounded() -> None:
    """The newest changes and deletions are kept."""
    lately = Lately()
    lately.note((f"e{n}" for n in range(MOST_CHANGED + 1)), 7)
    lately.note(["e1"], 8)
    assert (lately.version("e0"), lately.version("e1"), lately.version("e2")) == (0, 8, 7)
    lately.lost((entry(f"e{n}") for n in range(MOST_GONE + 1)), 5.0)
    lately.lost([entry("old", expires_at=8)], 9.0)
    gone = list(lately.gone())
    assert (len(gone), gone[0].entry.id) == (MOST_GONE, "old")
    assert [each.expired for each in gone[:2]] == [True, False]
