"""Filters of entries and nodes."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.registry.entry_filter import EntryFilter, similar
from ca.registry.match import Match
from ca.registry.nodes.node_filter import NodeFilter
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entries import agent, entry, node, selectors, sid

PARTNER = TrustDomain("partner.test")
SMALL_SETS = st.frozensets(st.integers(0, 4), max_size=5)


def _naive(match: Match, has: Collection[int], asked: Collection[int]) -> bool:
    both = [each for each in has if each in asked]
    return {
        Match.EXACT: sorted(has) == sorted(asked),
        Match.SUBSET: len(both) == len(has),
        Match.SUPERSET: len(both) == len(asked),
        Match.ANY: len(both) > 0,
    }[match]


@given(SMALL_SETS, SMALL_SETS, st.sampled_from(Match))
def test_a_match_is_what_its_name_says(
    has: frozenset[int], asked: frozenset[int], match: Match
) -> None:
    """EXACT, SUBSET, SUPERSET and ANY are relations of the object's set to the one asked for."""
    assert match.accepts(tuple(has), asked) is _naive(match, has, asked)


def test_matches_bear_the_numbers_of_the_wire() -> None:
    """spire-wire section 3 numbers them 0 to 3."""
    assert [each.value for each in Match] == [0, 1, 2, 3]


ENTRY = entry(
    selectors=selectors("unix:uid:1", "unix:gid:2"),
    federates_with=(PARTNER,),
    hint="main",
    downstream=True,
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (EntryFilter(), True),
        (EntryFilter(spiffe_id=sid("/e1")), True),
        (EntryFilter(spiffe_id=sid("/e2")), False),
        (EntryFilter(parent_id=agent("a")), True),
        (EntryFilter(parent_id=agent("b")), False),
        (EntryFilter(hint="main"), True),
        (EntryFilter(hint=""), False),
        (EntryFilter(downstream=True), True),
        (EntryFilter(downstream=False), False),
        (EntryFilter(selectors=frozenset(selectors("unix:uid:1"))), False),
        (
            EntryFilter(
                selectors=frozenset(selectors("unix:uid:1")), selectors_match=Match.SUPERSET
            ),
            True,
        ),
        (EntryFilter(federates_with=frozenset({PARTNER})), True),
        (EntryFilter(federates_with=frozenset({TrustDomain("x.test")})), False),
        (EntryFilter(spiffe_id=sid("/e1"), hint="other"), False),
    ],
)
def test_an_entry_has_to_meet_every_part_of_a_filter(asked: EntryFilter, expected: bool) -> None:
    """The parts of a filter combine with AND, and a part that is left out asks nothing."""
    assert asked.matches(ENTRY) is expected


NODE = node(expires_at=100, can_reattest=True, banned=False)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (NodeFilter(), True),
        (NodeFilter(attestation_type="x509pop"), True),
        (NodeFilter(attestation_type="join_token"), False),
        (NodeFilter(banned=False), True),
        (NodeFilter(banned=True), False),
        (NodeFilter(can_reattest=True), True),
        (NodeFilter(can_reattest=False), False),
        (NodeFilter(expires_before=101), True),
        (NodeFilter(expires_before=100), False),
        (NodeFilter(selectors=frozenset(NODE.selectors)), True),
        (NodeFilter(selectors=frozenset(selectors("a:b"))), False),
    ],
)
def test_a_node_has_to_meet_every_part_of_a_filter(asked: NodeFilter, expected: bool) -> None:
    """The parts of a filter combine with AND; `expires_before` is a bound that is not reached."""
    assert asked.matches(NODE) is expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: EntryFilter(selectors=frozenset()),
        lambda: EntryFilter(federates_with=frozenset()),
        lambda: NodeFilter(selectors=frozenset()),
    ],
)
def test_a_filter_by_an_empty_set_is_a_mistake(make: object) -> None:
    """spire-wire 4.3: a filter that names none is an invalid argument."""
    with pytest.raises(Refusal) as caught:
        make()  # type: ignore[operator]
    assert caught.value.kind is Kind.INVALID


def test_similar_entries_differ_in_nothing_that_grants() -> None:
    """BE-11: same ID, same parent, same selector set, in whatever order."""
    turned = entry("e2", spiffe_id=sid("/e1"), selectors=ENTRY.selectors[::-1], hint="x")
    assert similar(ENTRY, turned)
    assert not similar(ENTRY, entry("e1"))
    assert not similar(ENTRY, entry("e1", selectors=ENTRY.selectors, parent_id=sid("/p")))
    assert not similar(ENTRY, entry("e2", selectors=ENTRY.selectors))
