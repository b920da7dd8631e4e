"""What the agent may serve, and how a synchronisation changes it."""

from agent.cache.entitlement import Entitlements, Stamp
from tests.doubles.entitlements import entitlement, selectors


def test_an_entry_is_found_by_its_id() -> None:
    """An entry that was learned is found by its id, another is not."""
    known = Entitlements([entitlement("a")])
    assert known.get("a") == entitlement("a")
    assert known.get("b") is None
    assert "a" in known
    assert "b" not in known
    assert len(known) == 1


def test_all_selectors_are_demanded() -> None:
    """An entry matches a workload that has all its selectors, however many more it has."""
    known = Entitlements([entitlement("a", "unix:uid:1", "unix:gid:2")])
    assert known.matching(selectors("unix:uid:1", "unix:gid:2", "unix:path:/x"))
    assert not known.matching(selectors("unix:uid:1"))
    assert not known.matching(selectors())


def test_entries_match_in_order_of_age() -> None:
    """WAPI-53: the oldest matching entry comes first, and the smaller id decides between equals."""
    known = Entitlements(
        [
            entitlement("c", created_at=5),
            entitlement("b", created_at=9),
            entitlement("a", created_at=9),
        ]
    )
    assert [each.id for each in known.matching(selectors("unix:uid:1"))] == ["c", "a", "b"]


def test_an_entry_for_stores_is_never_served() -> None:
    """An entry marked store_svid feeds stores only, so no workload matches it."""
    assert not Entitlements([entitlement("a", store_svid=True)]).matching(selectors("unix:uid:1"))


def test_an_entry_without_selectors_is_nobodys() -> None:
    """An entry that demands nothing would be everybody's, so nobody gets it."""
    nobody = entitlement("a").__class__(id="a", spiffe_id=entitlement("a").spiffe_id, selectors=())
    assert not Entitlements([nobody]).matching(selectors("unix:uid:1"))


def test_a_synchronisation_asks_for_what_it_does_not_hold() -> None:
    """Only entries that are new or whose revision or creation differs are fetched, sorted by id."""
    known = Entitlements([entitlement("a"), entitlement("b"), entitlement("d")])
    stamps = {"d": Stamp(1, 0), "a": Stamp(0, 0), "b": Stamp(0, 7), "c": Stamp(0, 0)}
    assert known.outdated(stamps) == ("b", "c", "d")


def test_a_synchronisation_keeps_replaces_and_drops() -> None:
    """After a synchronisation there is what is current, what was fetched, and nothing else."""
    known = Entitlements([entitlement("kept"), entitlement("changed"), entitlement("gone")])
    newer = entitlement("changed", revision_number=1)
    stamps = {"kept": Stamp(0, 0), "changed": Stamp(1, 0), "silent": Stamp(0, 0)}
    merged = known.merged(stamps, [newer])
    assert merged == Entitlements([entitlement("kept"), newer])


def test_an_outdated_entry_that_is_not_answered_is_gone() -> None:
    """An entry whose newer state the server does not give is no longer ours."""
    assert not len(Entitlements([entitlement("a")]).merged({"a": Stamp(1, 0)}, []))


def test_states_are_compared_by_content() -> None:
    """Two states are equal when they hold equal entries, so that nobody is woken for nothing."""
    assert Entitlements([entitlement("a")]) == Entitlements([entitlement("a")])
    assert Entitlements([entitlement("a")]) != Entitlements([entitlement("b")])
    assert Entitlements() != "something else"


def test_the_federated_domains_are_those_of_all_entries() -> None:
    """The bundles that the agent needs are those that any of its entries names."""
    known = Entitlements(
        [entitlement("a", federates=["b.test"]), entitlement("b", federates=["c.test", "b.test"])]
    )
    assert sorted(map(str, known.federated_domains())) == ["b.test", "c.test"]


def test_many_entries_with_one_selector_in_common_are_told_apart_by_the_rare_one() -> None:
    """Among a thousand entries of one uid the one with the right path is found, and only it."""
    known = Entitlements(
        entitlement(f"e{n}", "unix:uid:1", f"unix:path:/bin/{n}") for n in range(1000)
    )
    found = known.matching(selectors("unix:uid:1", "unix:path:/bin/77"))
    assert [each.id for each in found] == ["e77"]
