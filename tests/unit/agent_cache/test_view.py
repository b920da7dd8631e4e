"""What one caller may see."""

import math
from dataclasses import replace

from agent.cache.entitlement import Entitlement, Entitlements
from agent.cache.view import Holdings
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from tests.doubles.clock import NOW
from tests.doubles.entitlements import (
    TRUST_DOMAIN,
    entitlement,
    held_svid,
    selectors,
    workload_id,
)

CALLER = selectors("unix:uid:1")
OWN = Bundle(TRUST_DOMAIN)
FRIEND = Bundle(TrustDomain("friend.test"))


def holdings(*entitlements: Entitlement, bundles: tuple[Bundle, ...] = (OWN,)) -> Holdings:
    return Holdings(
        TRUST_DOMAIN,
        Entitlements(entitlements),
        {each.id: held_svid(each.id, path=each.spiffe_id.path) for each in entitlements},
        {each.trust_domain: each for each in bundles},
        synced=True,
    )


def test_a_caller_sees_all_its_identities() -> None:
    """WAPI-19: two matching entries are two identities, each with its SVID."""
    view = holdings(entitlement("a"), entitlement("b")).view(CALLER, NOW)
    assert [svid.entry_id for _, svid in view.signed] == ["a", "b"]
    assert view.own_bundle == OWN


def test_callers_do_not_see_each_others_identities() -> None:
    """WAPI-06: a caller with other selectors sees nothing of what is not its own."""
    view = holdings(entitlement("a"), entitlement("b", "unix:uid:2")).view(CALLER, NOW)
    assert [each.spiffe_id for each in view.identities] == [workload_id("/a")]


def test_a_stranger_sees_nothing() -> None:
    """WAPI-30: who has no identity has no right to a bundle either."""
    view = holdings(entitlement("a", federates=["friend.test"])).view(selectors(), NOW)
    assert view.identities == ()
    assert view.own_bundle is None
    assert view.federated == ()


def test_the_default_identity_is_the_oldest_entry() -> None:
    """WAPI-53: the first identity is the oldest entry's, whatever its id, in every state."""
    young, old = entitlement("a", created_at=9), entitlement("z", created_at=1)
    view = holdings(young, old).view(CALLER, NOW)
    assert [each.spiffe_id.path for each in view.identities] == ["/z", "/a"]


def test_a_repeated_hint_is_blanked_on_the_younger() -> None:
    """WAPI-25: two entries with one hint both keep their SVID, the older one the hint."""
    first = entitlement("b", hint="internal", created_at=1)
    second = entitlement("a", hint="internal", created_at=2)
    third = entitlement("c", hint="external", created_at=3)
    view = holdings(first, second, third, entitlement("d", created_at=4)).view(CALLER, NOW)
    assert [each.hint for each in view.identities] == ["internal", "", "external", ""]
    assert len(view.signed) == 4


def test_narrowing_to_an_id_keeps_its_hint() -> None:
    """WAPI-34: the choice by ID comes before hints are made unique, so none is lost by it."""
    first = entitlement("a", hint="internal", created_at=1)
    second = entitlement("b", hint="internal", created_at=2)
    view = holdings(first, second).view(CALLER, NOW).only(workload_id("/b"))
    assert [(each.spiffe_id, each.hint) for each in view.identities] == [
        (workload_id("/b"), "internal")
    ]


def test_an_unsigned_identity_is_pending() -> None:
    """An entry whose SVID is not signed yet is known as pending, and the others are there."""
    known = holdings(entitlement("a"), entitlement("b"))
    view = replace(known, svids={"a": held_svid("a")}).view(CALLER, NOW)
    assert view.pending == ("b",)
    assert [svid.entry_id for _, svid in view.signed] == ["a"]


def test_an_expired_svid_is_not_shown() -> None:
    """An SVID serves until it expires and not a second longer."""
    known = holdings(entitlement("a"))
    view = known.view(CALLER, NOW + 3599)
    assert view.valid_until == NOW + 3600
    assert view.pending == ()
    assert known.view(CALLER, NOW + 3600).pending == ("a",)
    assert known.view(CALLER, NOW + 3600).valid_until == math.inf


def test_an_svid_for_another_id_is_not_shown() -> None:
    """After an entry's SPIFFE ID changed the SVID for the former one is not handed out."""
    known = holdings(entitlement("a", path="/new"))
    view = replace(known, svids={"a": held_svid("a", path="/old")}).view(CALLER, NOW)
    assert view.pending == ("a",)


def test_a_caller_gets_the_bundles_its_own_entries_federate_with() -> None:
    """WAPI-24: federated bundles are those of the caller's entries, never the own domain."""
    other = Bundle(TrustDomain("other.test"))
    mine = entitlement("a", federates=["friend.test", "example.org", "unknown.test"])
    theirs = entitlement("b", "unix:uid:2", federates=["other.test"])
    view = holdings(mine, theirs, bundles=(OWN, FRIEND, other)).view(CALLER, NOW)
    assert view.federated == (FRIEND,)


def test_before_the_first_bundle_there_is_none() -> None:
    """An agent that has no bundle yet shows none."""
    known = holdings(entitlement("a"), bundles=())
    assert known.own_bundle is None
    assert known.view(CALLER, NOW).own_bundle is None
