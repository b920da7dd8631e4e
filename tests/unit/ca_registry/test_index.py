"""The entries in memory: who may have which, and whom a change concerns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ca.registry.entry import Entry
from ca.registry.entry_filter import EntryFilter, similar
from ca.registry.index import EntryIndex, Touched
from ca.registry.index import entry_index as index_module
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.entries import agent, entry, selectors, sid

SERVER = sid("/spire/server")
A, B = agent("a"), agent("b")
OWN = selectors("x509pop:name:a")


def _index(*entries: Entry) -> EntryIndex:
    found = EntryIndex()
    found.apply(entries)
    return found


def _ids(entries: tuple[Entry, ...]) -> list[str]:
    return [each.id for each in entries]


def test_an_agent_has_its_children_in_the_order_of_their_ids() -> None:
    """7.7: an entry is the agent's when its parent is the agent."""
    found = _index(entry("c"), entry("a"), entry("b"), entry("x", parent_id=B))
    assert _ids(found.authorized(A, OWN)) == ["a", "b", "c"]
    assert _ids(found.authorized(B, OWN)) == ["x"]
    assert found.authorized(agent("nobody"), OWN) == ()


def test_an_agent_has_what_its_entries_are_parents_of() -> None:
    """7.7: parents are followed down, however deep."""
    found = _index(
        entry("top", spiffe_id=sid("/top")),
        entry("mid", spiffe_id=sid("/mid"), parent_id=sid("/top")),
        entry("low", spiffe_id=sid("/low"), parent_id=sid("/mid")),
        entry("far", parent_id=sid("/elsewhere")),
    )
    assert _ids(found.authorized(A, OWN)) == ["low", "mid", "top"]


def test_cycles_among_entries_end() -> None:
    """7.7: entries that are each other's parents, or their own, are delivered once."""
    found = _index(
        entry("1", spiffe_id=sid("/x")),
        entry("2", spiffe_id=sid("/y"), parent_id=sid("/x")),
        entry("3", spiffe_id=sid("/x"), parent_id=sid("/y")),
        entry("4", spiffe_id=sid("/z"), parent_id=sid("/z")),
    )
    assert _ids(found.authorized(A, OWN)) == ["1", "2", "3"]
    assert found.touched([entry("5", parent_id=sid("/y"))]).agents == {A}
    found.apply([], ["4", "3", "2", "1"])
    assert len(found) == 0


def test_a_parent_that_is_granted_twice_is_lost_only_with_the_second() -> None:
    """7.7: two entries may lead to the same parent, and either is enough."""
    found = _index(
        entry("1", spiffe_id=sid("/mid")),
        entry("2", spiffe_id=sid("/mid"), selectors=selectors("unix:uid:2")),
        entry("low", parent_id=sid("/mid")),
    )
    found.apply([], ["1"])
    assert _ids(found.authorized(A, OWN)) == ["2", "low"]
    found.apply([], ["2"])
    assert found.authorized(A, OWN) == ()


def test_an_alias_describes_nodes_by_their_selectors() -> None:
    """7.7: an alias counts for a node that has all its selectors, and is not itself delivered."""
    alias = entry(
        "alias", spiffe_id=sid("/db-nodes"), parent_id=SERVER, selectors=selectors("n:1", "n:2")
    )
    found = _index(alias, entry("child", parent_id=sid("/db-nodes")), entry("own"))
    assert _ids(found.authorized(A, selectors("n:1", "n:2", "n:3"))) == ["child", "own"]
    assert _ids(found.authorized(A, selectors("n:1", "n:3"))) == ["own"]
    found.apply([], ["alias"])
    assert _ids(found.authorized(A, selectors("n:1", "n:2", "n:3"))) == ["own"]


def test_an_alias_leaves_others_with_its_selectors_in_place() -> None:
    """7.7: aliases that say the same of a node come and go on their own."""
    found = _index(
        entry("1", spiffe_id=sid("/n1"), parent_id=SERVER, selectors=selectors("n:1")),
        entry("2", spiffe_id=sid("/n2"), parent_id=SERVER, selectors=selectors("n:1")),
        entry("c1", parent_id=sid("/n1")),
        entry("c2", parent_id=sid("/n2")),
    )
    assert _ids(found.authorized(A, selectors("n:1"))) == ["c1", "c2"]
    found.apply([], ["1"])
    assert _ids(found.authorized(A, selectors("n:1"))) == ["c2"]


def test_what_an_agent_has_follows_its_node() -> None:
    """7.7: a node that attested again with other selectors has other aliases."""
    found = _index(
        entry("1", spiffe_id=sid("/n1"), parent_id=SERVER, selectors=selectors("n:1")),
        entry("2", spiffe_id=sid("/n2"), parent_id=SERVER, selectors=selectors("n:1", "n:2")),
        entry("c1", parent_id=sid("/n1")),
        entry("c2", parent_id=sid("/n2")),
    )
    assert _ids(found.authorized(A, selectors("n:1"))) == ["c1"]
    assert _ids(found.authorized(A, selectors("n:1", "n:2"))) == ["c1", "c2"]
    assert _ids(found.authorized(A, ())) == []


def test_one_entry_is_found_among_those_of_an_agent() -> None:
    """The same computation decides about one entry, without listing the others."""
    found = _index(entry("own"), entry("other", parent_id=B))
    own = found.authorized_entry(A, OWN, "own")
    assert own is not None
    assert own == entry("own")
    assert found.authorized_entry(A, OWN, "other") is None
    assert found.authorized_entry(A, OWN, "none") is None


def test_admin_and_downstream_go_by_the_id_alone() -> None:
    """Section 5: any entry with that ID counts, whoever its parent is, as long as it is there."""
    found = _index(
        entry("1", spiffe_id=sid("/ops"), admin=True),
        entry("2", spiffe_id=sid("/ops"), parent_id=B, admin=True),
        entry("3", spiffe_id=sid("/nested"), downstream=True),
    )
    assert found.has_admin(sid("/ops"))
    assert not found.has_downstream(sid("/ops"))
    assert found.has_downstream(sid("/nested"))
    found.apply([entry("2", spiffe_id=sid("/ops"), parent_id=B)], ["3"])
    assert found.has_admin(sid("/ops"))
    assert not found.has_downstream(sid("/nested"))
    found.apply([], ["1"])
    assert not found.has_admin(sid("/ops"))


def test_a_similar_entry_is_found_at_once() -> None:
    """BE-11: another entry with the same ID, parent and selectors is found, itself is not."""
    found = _index(entry("1"), entry("2"))
    twin = entry("3", spiffe_id=sid("/1"), hint="x")
    known = found.find_similar(twin)
    assert known is not None
    assert known.id == "1"
    assert found.find_similar(entry("1", hint="x")) is None
    assert found.find_similar(entry("3")) is None
    found.apply([], ["1"])
    assert found.find_similar(twin) is None


def test_entries_that_pass_through_likeness_leave_nothing_behind() -> None:
    """Two that are alike for a moment, as a follower may see them, can both be taken out."""
    found = _index(entry("1"), entry("2", spiffe_id=sid("/1")))
    found.apply([], ["1"])
    known = found.find_similar(entry("3", spiffe_id=sid("/1")))
    assert known is not None
    assert known.id == "2"
    found.apply([], ["2", "never"])
    assert found.find_similar(entry("3", spiffe_id=sid("/1"))) is None
    assert len(found) == 0


def test_a_hash_alone_makes_nothing_similar() -> None:
    """Two entries in different trust domains may share a hash; they are compared whole."""
    found = _index(entry("1", spiffe_id=sid("/x")))
    assert found.find_similar(entry("2", spiffe_id=sid("/x", "other.test"))) is None


def test_a_change_concerns_the_agents_above_it() -> None:
    """Pushing: parents are walked up to agents, on every way there is."""
    found = _index(
        entry("1", spiffe_id=sid("/pool"), parent_id=A),
        entry("2", spiffe_id=sid("/pool"), parent_id=B),
        entry("3", spiffe_id=sid("/nodes"), parent_id=SERVER, selectors=selectors("n:1")),
    )
    below = found.apply([entry("w", parent_id=sid("/pool"))])
    assert below.agents == {A, B}
    assert below.concerns(B, ())
    assert not below.concerns(agent("c"), selectors("n:1"))
    aliased = found.apply([entry("v", parent_id=sid("/nodes"))])
    assert not aliased.agents
    assert aliased.concerns(agent("c"), selectors("n:1", "n:2"))
    assert not aliased.concerns(agent("c"), selectors("n:2"))
    assert not found.apply([entry("u", parent_id=sid("/nobody"))]).agents


def test_a_change_concerns_those_who_lose_by_it() -> None:
    """Pushing: an entry that moves or leaves concerns its former agents as well as its new ones."""
    found = _index(entry("w", parent_id=A))
    assert found.apply([entry("w", parent_id=B)]).agents == {A, B}
    assert found.apply([], ["w"]).agents == {B}
    alias = entry("n", spiffe_id=sid("/nodes"), parent_id=SERVER, selectors=selectors("n:1"))
    assert found.apply([alias]).aliases == {frozenset(selectors("n:1"))}
    assert found.apply([], ["n"]).aliases == {frozenset(selectors("n:1"))}


def test_a_link_that_comes_with_its_parent_concerns_the_agent() -> None:
    """Pushing: what is applied at once is seen whole, whatever its order."""
    found = EntryIndex()
    both = [entry("low", parent_id=sid("/mid")), entry("mid", spiffe_id=sid("/mid"))]
    assert found.apply(both).agents == {A}
    assert Touched() | Touched(frozenset({A})) == Touched(frozenset({A}))


def test_pages_come_in_the_order_of_creation() -> None:
    """BE-14: pages follow one another by tokens that stay good while entries come and go."""
    found = _index(*(entry(f"e{n}", created_at=100 - n) for n in range(7)))
    first = found.page(None, 3)
    assert _ids(first.items) == ["e6", "e5", "e4"]
    found.apply([entry("e9", created_at=1)], ["e4", "e3"])
    second = found.page(None, 2, first.next_token)
    assert _ids(second.items) == ["e2", "e1"]
    last = found.page(None, 2, second.next_token)
    assert _ids(last.items) == ["e0"]
    assert last.next_token == ""
    assert len(found.page(None, 0).items) == 6
    assert next(iter(found)).id == "e9"


def test_pages_of_a_filter_hold_what_it_asks_for() -> None:
    """BE-14: a page of a filter is full as long as more follows, by whatever way it is found."""
    found = _index(
        *(
            entry(f"e{n}", created_at=n, parent_id=(A, B)[n % 2], hint="xy"[n % 3 == 0])
            for n in range(12)
        )
    )
    for asked, wanted in (
        (EntryFilter(parent_id=A), ["e0", "e2", "e4", "e6", "e8", "e10"]),
        (EntryFilter(hint="y"), ["e0", "e3", "e6", "e9"]),
        (EntryFilter(spiffe_id=sid("/e3")), ["e3"]),
        (EntryFilter(spiffe_id=sid("/e3"), parent_id=A), []),
        (EntryFilter(parent_id=sid("/none")), []),
        (EntryFilter(spiffe_id=sid("/none")), []),
    ):
        token, seen = "", []
        while True:
            page = found.page(asked, 2, token)
            seen += _ids(page.items)
            token = page.next_token
            if not token:
                break
            assert len(page.items) == 2
        assert seen == wanted
        assert found.count(asked) == len(wanted)
    assert found.count() == 12


@pytest.mark.parametrize("field", ["parent_id", "spiffe_id"])
def test_a_large_family_is_listed_in_the_order_of_creation(field: str) -> None:
    """Where a filter narrows little, the entries are walked in their order."""
    shared = sid("/pool")
    found = _index(*(entry(f"e{n}", created_at=n, **{field: shared}) for n in range(1500)))
    asked = EntryFilter(**{field: shared})  # type: ignore[arg-type]
    page = found.page(asked, 1200)
    assert page.items[-1].id == "e1199"
    assert len(found.page(asked, 1200, page.next_token).items) == 300


@pytest.mark.parametrize("bad", ["x", "12", "12-", "-e1", "\u0661-e1", "1" * 19 + "-e1", "+1-e1"])
def test_a_page_token_of_someone_else_is_refused(bad: str) -> None:
    """A token is what this server gave, or an invalid argument."""
    with pytest.raises(Refusal) as caught:
        _index().page(None, 1, bad)
    assert caught.value.kind is Kind.INVALID
    assert caught.value.field == "page_token"


def test_a_negative_page_size_is_refused() -> None:
    """A page has no negative size."""
    with pytest.raises(Refusal) as caught:
        _index().page(None, -1)
    assert caught.value.field == "page_size"


def test_values_that_repeat_are_kept_once() -> None:
    """Memory: equal IDs, selectors and federations of many entries are the same objects."""
    partner = (TrustDomain("partner.test"),)
    found = _index(
        *(
            entry(f"e{n}", spiffe_id=SpiffeId.parse("spiffe://example.org/x"), parent_id=agent("a"))
            for n in range(2)
        ),
        *(entry(f"f{n}", federates_with=tuple(partner), spiffe_id=agent("a")) for n in range(2)),
    )
    one, other = found.get("e0"), found.get("e1")
    assert one is not None
    assert other is not None
    assert one.spiffe_id is other.spiffe_id
    assert one.parent_id is other.parent_id
    assert one.selectors[0] is other.selectors[0]
    assert one.spiffe_id.trust_domain is one.parent_id.trust_domain
    assert found.get("nothing") is None
    again = replace(one, hint="again")
    found.apply([again])
    assert found.get("e0") is again


def test_what_nobody_holds_is_forgotten() -> None:
    """Memory: after many entries have left, their selectors are let go as well."""
    found = _index(*(entry(f"e{n}", selectors=selectors(f"unix:uid:{n}")) for n in range(1100)))
    found.apply([], [f"e{n}" for n in range(1, 1100)])
    assert len(found._selectors) == 1
    assert _ids(found.authorized(A, OWN)) == ["e0"]


def test_what_is_remembered_of_agents_is_bounded() -> None:
    """Memory: callers who come and go leave no more than a bounded trace."""
    found = _index(entry("own"))
    for number in range(index_module._MOST_REMEMBERED + 5):
        found.authorized(agent(str(number)), ())
    assert len(found._reaches) <= index_module._MOST_REMEMBERED
    assert _ids(found.authorized(A, OWN)) == ["own"]


def test_families_are_told_by_their_parent() -> None:
    """Children and grants are found by ID."""
    found = _index(entry("b"), entry("a"), entry("x", spiffe_id=sid("/a"), parent_id=B))
    assert _ids(found.children(A)) == ["a", "b"]
    assert found.children(sid("/none")) == ()
    assert sorted(_ids(found.granting(sid("/a")))) == ["a", "x"]


# A small world, in which parents, aliases and cycles meet all the time.
_PLACES = [A, B, SERVER, *(sid(f"/{n}") for n in range(5))]
_SELECTORS = [Selector("n", str(n)) for n in range(3)]
_sets = st.frozensets(st.sampled_from(_SELECTORS), min_size=1).map(lambda s: tuple(sorted(s)))
_entries = st.builds(
    lambda n, place, parent, chosen, at: entry(
        f"e{n}", spiffe_id=sid(f"/{place}"), parent_id=parent, selectors=chosen, created_at=at
    ),
    st.integers(0, 9),
    st.integers(0, 4),
    st.sampled_from(_PLACES),
    _sets,
    st.integers(0, 3),
)
_steps = st.lists(
    st.tuples(st.lists(_entries, max_size=4), st.sets(st.integers(0, 9).map("e{}".format))),
    max_size=8,
)


def _naive(entries: dict[str, Entry], who: SpiffeId, own: tuple[Selector, ...]) -> list[str]:
    """7.7, word by word."""
    parents = {who} | {
        each.spiffe_id
        for each in entries.values()
        if each.parent_id == SERVER and set(each.selectors) <= set(own)
    }
    while True:
        mine = {i for i, each in entries.items() if each.parent_id in parents}
        more = parents | {entries[i].spiffe_id for i in mine}
        if more == parents:
            return sorted(mine)
        parents = more


@settings(deadline=None, max_examples=200)
@given(_steps, _sets)
def test_the_index_agrees_with_the_rules_word_by_word(
    steps: list[tuple[list[Entry], set[str]]], own: tuple[Selector, ...]
) -> None:
    """7.7: after any changes, entitlement, likeness, listing and reach are those of a naive model."""
    found, model = EntryIndex(), dict[str, Entry]()
    for upserts, deleted in steps:
        before = {who: _naive(model, who, own) for who in (A, B)}
        old = dict(model)
        for gone in deleted:
            model.pop(gone, None)
        model.update({each.id: each for each in upserts})
        touched = found.apply(upserts, deleted)
        for who in (A, B):
            wanted = _naive(model, who, own)
            assert _ids(found.authorized(who, own)) == wanted
            assert all(
                (found.authorized_entry(who, own, i) is not None) == (i in wanted) for i in model
            )
            changed = wanted != before[who] or any(old.get(i) != model[i] for i in wanted)
            assert not changed or touched.concerns(who, own)
    assert sorted(each.id for each in found) == sorted(model)
    assert [(e.created_at, e.id) for e in found] == sorted((e.created_at, e.id) for e in found)
    for each in model.values():
        known = found.find_similar(each)
        assert known is None or (known.id != each.id and similar(known, each))
    found.apply([], model)
    assert not found._kinship._families
    assert not found._kinship._bearers
    assert not found._aliases._filed
    assert not found._likeness
