"""What is blocked is in nobody's view, and nothing is signed or kept for it."""

from dataclasses import replace

import pytest

from agent.cache.entitlement import Entitlements
from agent.cache.jwt_svids import HeldToken, JwtSvids, TokenKey
from agent.cache.view import Holdings, View
from agent.cache.x509_svids import Demand, Plan, plan
from finial.blocks import Block, Blocks, BlocksDocument, Crl, SubjectKind
from finial.spiffe.bundle import Bundle
from tests.doubles.blocked import LEAKED, blocking, blocks
from tests.doubles.clock import NOW
from tests.doubles.entitlements import (
    TRUST_DOMAIN,
    entitlement,
    held_svid,
    selectors,
    workload_id,
)

CALLER = selectors("unix:uid:1")
WEB, DB = entitlement("web"), entitlement("db", created_at=1)
HELD = {"web": held_svid("web", serial=7), "db": held_svid("db", serial=8)}
ALL = Holdings(
    TRUST_DOMAIN, Entitlements([WEB, DB]), HELD, {TRUST_DOMAIN: Bundle(TRUST_DOMAIN)}, synced=True
)
LOCKOUT = Block("", SubjectKind.AGENT, "spiffe://example.org/spire/agent/a", "stolen", int(NOW))
NOBODY = Demand()


def under(blocked: Blocks, now: float = NOW) -> View:
    return replace(ALL, blocks=blocked).view(CALLER, now)


def ids(view: View) -> list[str]:
    return [each.entitlement.id for each in view.identities]


def withheld(view: View) -> list[tuple[str, str]]:
    return [(each.entitlement.id, each.block.id) for each in view.withheld]


@pytest.mark.parametrize("kind", ["spiffe_ids", "entries"])
def test_a_blocked_identity_is_withheld(kind: str) -> None:
    """By its SPIFFE ID or by its entry; the others are as they were, with the bundle."""
    name = str(WEB.spiffe_id) if kind == "spiffe_ids" else "web"
    view = under(blocks(**{kind: name}))
    assert ids(view) == ["db"]
    assert withheld(view) == [("web", "b1")]
    assert view.own_bundle is not None


def test_a_caller_that_shows_a_blocked_selector_has_nothing() -> None:
    """Whatever its entries ask for; who does not show the selector is not touched."""
    view = under(blocks(selectors="unix:uid:1"))
    assert (ids(view), view.own_bundle) == ([], None)
    assert withheld(view) == [("web", "b1"), ("db", "b1")]
    assert ids(under(blocks(selectors="unix:uid:2"))) == ["web", "db"]


def test_a_blocked_agent_gives_nothing_to_anybody() -> None:
    """WAPI-30: no identity and no bundle, as long as the agent itself is blocked."""
    locked = replace(ALL, lockout=LOCKOUT)
    view = locked.view(CALLER, NOW)
    assert (ids(view), view.own_bundle) == ([], None)
    assert [each.block for each in view.withheld] == [LOCKOUT, LOCKOUT]


def test_a_block_that_has_ended_withholds_nothing() -> None:
    """From the second on at which it ends."""
    short = Block("b2", SubjectKind.ENTRY, "web", "a while", int(NOW), until=int(NOW) + 10)
    blocked = blocks(block=short, entries="web")
    assert ids(under(blocked, NOW + 9)) == ["db"]
    assert ids(under(blocked, NOW + 10)) == ["web", "db"]


def test_a_blocked_svid_is_not_shown_and_its_identity_waits() -> None:
    """An X.509-SVID that is blocked by its serial number is as good as none."""
    view = under(blocks(serials="7"))
    assert [svid.serial for _, svid in view.signed] == [8]
    assert view.pending == ("web",)


def test_a_view_of_one_identity_says_whether_that_one_is_blocked() -> None:
    """Who asks for one SPIFFE ID is not told of the block of another."""
    view = under(blocks(spiffe_ids=str(WEB.spiffe_id)))
    assert withheld(view.only(WEB.spiffe_id)) == [("web", "b1")]
    assert withheld(view.only(DB.spiffe_id)) == []


def test_revocation_lists_are_seen_by_everybody() -> None:
    """In the order in which the server gave them."""
    lists = (Crl("aa", b"one", 1), Crl("bb", b"two", 1))
    assert under(Blocks(BlocksDocument(version=1, crls=lists))).crls == (b"one", b"two")
    assert under(Blocks(BlocksDocument(version=1))).crls == ()


def test_the_blocked_entries_are_known() -> None:
    """Those that a block names, whoever might ask for them."""
    assert ALL.blocked_entries(NOW) == ()
    blocked = replace(ALL, blocks=blocks(entries=["web", "nobody's"]))
    assert blocked.blocked_entries(NOW) == ("web",)


def test_nothing_is_signed_or_held_for_a_blocked_entry() -> None:
    """Not ahead, not by a stream that is open for it, not when it is due."""
    entries = Entitlements([WEB, DB])
    blocked = blocks(spiffe_ids=str(WEB.spiffe_id))
    assert plan(entries, {}, NOBODY, (), NOW, blocks=blocked) == Plan(sign=("db",))
    subscribed = Demand(subscribed=frozenset({"web"}))
    found = plan(entries, HELD, subscribed, (), NOW + 2000, blocks=blocked)
    assert found == Plan(sign=("db",), drop=("web",))


def test_a_blocked_svid_is_replaced_before_it_is_due() -> None:
    """It counts as missing, and is the most urgent."""
    entries = Entitlements([WEB, DB])
    assert plan(entries, HELD, NOBODY, (), NOW, blocks=blocks(serials="7")) == Plan(sign=("web",))


def test_tokens_of_what_is_blocked_are_forgotten() -> None:
    """Of a SPIFFE ID, of an entry (with all of its SPIFFE ID), and by their own id."""
    entries = Entitlements([WEB, DB])
    named = {"spiffe_ids": str(WEB.spiffe_id), "entries": "web", "jtis": "j-web"}
    for kind, name in named.items():
        tokens = JwtSvids()
        for each in ("web", "db"):
            held = HeldToken(each, "k", int(NOW) + 60, NOW + 30, f"j-{each}")
            tokens.store(TokenKey.of(workload_id(f"/{each}"), ["a"]), held)
        tokens.drop_blocked(entries, Blocks(blocking(block=LEAKED, **{kind: name})), NOW)
        assert tokens.find(TokenKey.of(WEB.spiffe_id, ["a"]), NOW) is None
        assert tokens.find(TokenKey.of(DB.spiffe_id, ["a"]), NOW) is not None
        tokens.clear()
        assert len(tokens) == 0
