"""Secrets are made once for all callers that may see the same."""

from dataclasses import replace

from agent.api.answers import Answers
from agent.api.sds.catalogue import Interest
from agent.api.sds.secret import Form
from agent.api.sds.secrets import SPARE, Secrets
from agent.cache.entitlement import Entitlements
from agent.cache.view import Holdings
from agent.settings import Sds
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.refusal import Kind
from tests.doubles.clock import StandingClock
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement, held_svid, selectors

OWN = Bundle(TRUST_DOMAIN, (X509Authority(b"root"),))
ASKED = Interest(frozenset({"default", "ROOTCA"}))
ONE, OTHER = selectors("unix:uid:1"), selectors("unix:uid:1", "unix:gid:1")


class House:
    """What is held, and the secrets made of it."""

    def __init__(self, *ids: str) -> None:
        self.holdings = Watch(
            Holdings(
                TRUST_DOMAIN,
                Entitlements(map(entitlement, ids)),
                {each: held_svid(each) for each in ids},
                {TRUST_DOMAIN: OWN},
                synced=True,
            )
        )
        clock = StandingClock()
        answers = Answers(self.holdings, clock)
        self.secrets = Secrets(answers, self.holdings, Sds(), clock)


def test_equal_secrets_are_one_object() -> None:
    """Callers with other selectors and the same identity share what was made."""
    house = House("a")
    first = house.secrets.offer(ONE, Form.SPIFFE, ASKED)
    second = house.secrets.offer(OTHER, Form.SPIFFE, ASKED)
    assert first.secrets["default"] is second.secrets["default"]
    assert first.secrets["ROOTCA"] is second.secrets["ROOTCA"]
    plain = house.secrets.offer(ONE, Form.PLAIN, ASKED)
    assert plain.secrets["default"] is first.secrets["default"]
    assert plain.secrets["ROOTCA"] is not first.secrets["ROOTCA"]


def test_a_change_makes_anew_only_what_it_changed() -> None:
    """A new SVID is another secret, and the bundle beside it the same as before."""
    house = House("a")
    first = house.secrets.offer(ONE, Form.SPIFFE, ASKED)
    fresh = held_svid("a", chain=(b"another leaf",))
    house.holdings.set(replace(house.holdings.value, svids={"a": fresh}))
    second = house.secrets.offer(ONE, Form.SPIFFE, ASKED)
    assert second.secrets["default"].version != first.secrets["default"].version
    assert second.secrets["ROOTCA"] is first.secrets["ROOTCA"]


def test_keys_that_nobody_needs_are_let_go() -> None:
    """What was made of former SVIDs does not pile up."""
    house = House("a")
    for number in range(10 * SPARE):
        fresh = held_svid(f"e{number}")
        held = Holdings(
            TRUST_DOMAIN,
            Entitlements([entitlement(f"e{number}")]),
            {f"e{number}": fresh},
            {TRUST_DOMAIN: OWN},
            synced=True,
        )
        house.holdings.set(held)
        house.secrets.offer(ONE, Form.SPIFFE, ASKED)
    assert len(house.secrets._made) <= SPARE + 5


def test_before_the_entries_are_known_everything_is_on_its_way() -> None:
    """Nobody is denied what the agent cannot know yet."""
    house = House("a")
    house.holdings.set(Holdings(TRUST_DOMAIN))
    asked = Interest(frozenset({"default"}), everything=True)
    offer = house.secrets.offer(ONE, Form.SPIFFE, asked)
    assert {name: each.kind for name, each in offer.missing.items()} == {
        "default": Kind.UNAVAILABLE,
        "*": Kind.UNAVAILABLE,
    }


def test_nothing_is_kept_of_callers_that_are_gone() -> None:
    """After a change only who asks again is remembered: what was is full of keys."""
    house = House("a")
    for selectors_of in (ONE, OTHER):
        house.secrets.offer(selectors_of, Form.SPIFFE, ASKED)
    assert house.secrets.remembered == 2
    house.holdings.set(replace(house.holdings.value, svids={}))
    house.secrets.offer(ONE, Form.SPIFFE, ASKED)
    assert house.secrets.remembered == 1
