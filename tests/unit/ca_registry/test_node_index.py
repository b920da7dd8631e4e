"""The nodes in memory."""

import pytest

from ca.registry.nodes.node_filter import NodeFilter
from ca.registry.nodes.node_index import NodeIndex
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entries import agent, node, selectors


def _index() -> NodeIndex:
    found = NodeIndex()
    found.apply(
        [
            node("b", selectors=selectors("n:1", "n:2")),
            node("a", selectors=selectors("n:1"), banned=True),
            node("c", selectors=(*selectors("n:2", "n:1"), *selectors("n:1"))),
        ]
    )
    return found


def test_nodes_are_found_by_their_id_until_they_are_gone() -> None:
    """A node that was applied is there, and one that was deleted is not."""
    found = _index()
    assert found.get(agent("b")) == node("b", selectors=selectors("n:1", "n:2"))
    found.apply([], [agent("b"), agent("never")])
    assert found.get(agent("b")) is None
    assert len(found) == 2
    assert [each.id for each in found] == [agent("a"), agent("c")]


def test_nodes_are_found_by_what_an_alias_says() -> None:
    """7.7: the nodes of an alias have all of its selectors."""
    found = _index()
    assert [n.id for n in found.having(selectors("n:1"))] == [agent("a"), agent("b"), agent("c")]
    assert [n.id for n in found.having(selectors("n:1", "n:2"))] == [agent("b"), agent("c")]
    assert found.having(selectors("n:9")) == ()
    assert found.having(()) == ()
    assert found.types() == {"n"}
    found.apply([node("c", selectors=selectors("n:3"))], [agent("b")])
    assert found.having(selectors("n:2")) == ()
    assert found.types() == {"n"}
    assert [n.id for n in found.having(selectors("n:3"))] == [agent("c")]


def test_nodes_are_listed_page_by_page() -> None:
    """Pages follow one another in the order of the agents' paths."""
    found = _index()
    first = found.page(None, 2)
    assert [n.id for n in first.items] == [agent("a"), agent("b")]
    last = found.page(None, 2, first.next_token)
    assert [n.id for n in last.items] == [agent("c")]
    assert last.next_token == ""
    assert len(found.page(None, 0).items) == 3
    with pytest.raises(Refusal) as caught:
        found.page(None, 2, "17")
    assert caught.value.kind is Kind.INVALID


def test_nodes_are_listed_and_counted_by_a_filter() -> None:
    """A filter leaves out what it does not ask for."""
    found = _index()
    assert found.count() == 3
    assert found.count(NodeFilter(banned=True)) == 1
    assert [n.id for n in found.page(NodeFilter(banned=False), 5).items] == [agent("b"), agent("c")]
