"""Which SVIDs are signed, which are kept and which are let go."""

from agent.cache.entitlement import Entitlements
from agent.cache.x509_svids import Demand, Plan, next_instant, plan
from tests.doubles.clock import NOW
from tests.doubles.entitlements import entitlement, held_svid

NOBODY = Demand()


def test_svids_are_made_ahead_oldest_entry_first() -> None:
    """Every entry gets its SVID before anyone asks, the oldest entry first."""
    entries = Entitlements([entitlement("b", created_at=2), entitlement("a", created_at=3)])
    assert plan(entries, {}, NOBODY, (), NOW) == Plan(sign=("b", "a"))


def test_an_entry_that_declines_is_not_prefetched_but_signed_on_demand() -> None:
    """An entry with prefetch disabled has an SVID only while somebody has a stream open for it."""
    entries = Entitlements([entitlement("a", disable_x509_svid_prefetch=True)])
    assert plan(entries, {}, NOBODY, (), NOW) == Plan()
    subscribed = Demand(subscribed=frozenset({"a"}))
    assert plan(entries, {}, subscribed, (), NOW) == Plan(sign=("a",))


def test_an_entry_for_stores_gets_no_svid_here() -> None:
    """Entries that are never served on the Workload API are not signed for it."""
    assert plan(Entitlements([entitlement("a", store_svid=True)]), {}, NOBODY, (), NOW) == Plan()


def test_nothing_is_due_before_its_instant() -> None:
    """An SVID is left alone until the instant that was fixed when it was received."""
    entries, held = Entitlements([entitlement("a")]), {"a": held_svid("a")}
    assert plan(entries, held, NOBODY, (), NOW + 1799) == Plan()
    assert plan(entries, held, NOBODY, (), NOW + 1800) == Plan(sign=("a",))


def test_what_expires_first_is_renewed_first_after_what_is_missing() -> None:
    """Missing SVIDs come before due ones, those of open streams before all, then by expiry."""
    entries = Entitlements(entitlement(each) for each in "abcd")
    held = {
        "a": held_svid("a", left=900, renew_at=NOW),
        "b": held_svid("b", left=600, renew_at=NOW),
    }
    demand = Demand(subscribed=frozenset({"d"}))
    assert plan(entries, held, demand, (), NOW).sign == ("d", "c", "b", "a")


def test_a_changed_entry_is_signed_anew() -> None:
    """An SVID of an earlier revision is replaced at once and served until then."""
    entries = Entitlements([entitlement("a", revision_number=1)])
    assert plan(entries, {"a": held_svid("a")}, NOBODY, (), NOW) == Plan(sign=("a",))


def test_an_entry_that_grants_another_id_has_no_svid_yet() -> None:
    """When an entry's SPIFFE ID changes its former SVID counts as missing, before what is due."""
    entries = Entitlements([entitlement("a", path="/new"), entitlement("b", revision_number=1)])
    held = {"a": held_svid("a"), "b": held_svid("b")}
    assert plan(entries, held, NOBODY, (), NOW).sign == ("a", "b")


def test_an_svid_of_a_tainted_authority_is_replaced_at_once() -> None:
    """A tainted authority's SVIDs are renewed without waiting for half their life."""
    entries, held = Entitlements([entitlement("a")]), {"a": held_svid("a")}
    assert plan(entries, held, NOBODY, {"aa"}, NOW) == Plan(sign=("a",))


def test_an_expired_svid_is_dropped_and_signed_again() -> None:
    """What has expired is not served any more, and is asked for like something missing."""
    entries, held = Entitlements([entitlement("a")]), {"a": held_svid("a", left=0)}
    assert plan(entries, held, NOBODY, (), NOW) == Plan(sign=("a",), drop=("a",))


def test_the_svid_of_an_entry_that_is_gone_is_dropped() -> None:
    """An SVID whose entry is no longer ours goes."""
    assert plan(Entitlements(), {"a": held_svid("a")}, NOBODY, (), NOW) == Plan(drop=("a",))


def test_over_the_limit_the_longest_unused_goes() -> None:
    """Within the limit used ones come before unused, held ones before new, older before younger."""
    entries = Entitlements(entitlement(each) for each in "abcd")
    held = {"c": held_svid("c"), "d": held_svid("d")}
    demand = Demand(last_used={"d": 5.0, "c": 9.0}, limit=1)
    assert plan(entries, held, demand, (), NOW) == Plan(drop=("d",))
    assert plan(entries, held, Demand(limit=3), (), NOW) == Plan(sign=("a",))


def test_open_streams_are_served_over_the_limit() -> None:
    """The limit is soft: an entry with an open stream always has its SVID."""
    entries = Entitlements(entitlement(each) for each in "abc")
    demand = Demand(subscribed=frozenset({"b", "c"}), limit=1)
    assert plan(entries, {}, demand, (), NOW) == Plan(sign=("b", "c"))


def test_the_next_instant_is_the_first_renewal_or_expiry_to_come() -> None:
    """Work wakes when the next SVID is due or expires, and not at all while none is held."""
    assert next_instant([], NOW) is None
    held = [held_svid("a", left=100), held_svid("b", left=60)]
    assert next_instant(held, NOW) == NOW + 30
    assert next_instant(held, NOW + 55) == NOW + 60
    assert next_instant(held, NOW + 200) is None


def test_a_private_key_is_not_shown() -> None:
    """An SVID that is printed by mistake does not show its key."""
    assert "key of" not in repr(held_svid("a"))
