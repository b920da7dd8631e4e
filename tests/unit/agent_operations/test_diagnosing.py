"""How an agent judges its standing, what it holds, and its node."""

from dataclasses import replace

import pytest

from agent.attestation.situation import SYNCHRONISATION
from agent.cache.entitlement import Entitlements
from agent.cache.view import Holdings
from agent.cache.x509_svids import Demand
from agent.membership.standing import OwnSvid, Phase, Standing
from agent.operations.diagnosing.holdings import judge_bundle, judge_federated, judge_identities
from agent.operations.diagnosing.membership import (
    judge_own_svid,
    judge_server,
    judge_server_clock,
)
from agent.operations.diagnosing.node import judge_kernel
from agent.operations.link import Link
from agent.operations.server_clock import ServerClock
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.kernel import Kernel
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement, held_svid

DAY = 86_400
AGENT = SpiffeId(TRUST_DOMAIN, "/spire/agent/x509pop/a")
CA = SmallCa()
NOBODY = Demand()


def bundle(*authorities: SmallCa, tainted: bool = False) -> Bundle:
    return Bundle(TRUST_DOMAIN, tuple(X509Authority(each.der, tainted) for each in authorities))


def own(ca: SmallCa = CA, *, reattestable: bool = True) -> OwnSvid:
    """An agent's own SVID of an hour, to be renewed at its half."""
    chain = ca.leaf([str(AGENT)]).chain
    return OwnSvid(AGENT, chain, "key", 1, int(NOW) + 3600, NOW + 1800, reattestable)


def says(found: Diagnosis, health: Health, words: str) -> bool:
    return found.health is health and words in found.detail


def test_a_bundle_that_verifies_us_is_well() -> None:
    """Also where an intermediate stands between its authority and our own SVID."""
    assert says(judge_bundle(bundle(CA), own(), NOW), Health.OK, "1 authority")
    below = CA.intermediate("/spire/server")
    assert judge_bundle(bundle(CA), own(below), NOW).health is Health.OK
    marked = judge_bundle(bundle(CA, tainted=True), own(), NOW)
    assert says(marked, Health.OK, "1 tainted")


def test_a_bundle_that_is_missing_foreign_expired_or_late_is_found() -> None:
    """Each of them keeps workloads or servers from being believed."""
    assert judge_bundle(None, None, NOW).health is Health.FAILED
    assert judge_bundle(Bundle(TRUST_DOMAIN), None, NOW).health is Health.FAILED
    foreign = judge_bundle(bundle(SmallCa()), own(), NOW)
    assert says(foreign, Health.FAILED, "does not hold the authority that signed")
    gone = judge_bundle(bundle(CA), own(), NOW + DAY + 60)
    assert says(gone, Health.FAILED, "have expired")
    late = judge_bundle(bundle(CA), own(), NOW + DAY * 0.9)
    assert says(late, Health.WARNING, "no successor has been published")


def test_bundles_of_others_that_entries_want_are_looked_at() -> None:
    """Missing or expired ones are named; those that nobody wants are not."""
    there, gone = TrustDomain("there.example"), TrustDomain("gone.example")
    wanted = entitlement("a", federates=["there.example", "gone.example", "old.example"])
    old = SmallCa("old.example", now=NOW - 2 * DAY)
    bundles = {
        there: Bundle(there, (X509Authority(CA.der),)),
        TrustDomain("old.example"): Bundle(gone, (X509Authority(old.der),)),
    }
    held = Holdings(TRUST_DOMAIN, Entitlements([wanted]), bundles=bundles)
    found = {each.check: each for each in judge_federated(held, NOW)}
    assert set(found) == {"bundle of gone.example", "bundle of old.example"}
    assert says(found["bundle of gone.example"], Health.FAILED, "there is none")
    assert says(found["bundle of old.example"], Health.FAILED, "have expired")


def test_identities_that_are_late_refused_or_waited_for_are_named() -> None:
    """A workload that waits is a failure; what was not renewed or is refused, a warning."""
    entries = Entitlements([entitlement("a"), entitlement("b")])
    unknown = Holdings(TRUST_DOMAIN)
    assert judge_identities(unknown, NOBODY, "", {}, NOW).health is Health.FAILED
    held = Holdings(TRUST_DOMAIN, entries, {"a": held_svid("a"), "b": held_svid("b")}, synced=True)
    assert judge_identities(held, NOBODY, "", {}, NOW).health is Health.OK
    late = judge_identities(held, NOBODY, "no route", {}, NOW + 2000)
    assert says(late, Health.WARNING, "2 SVIDs not renewed in time")
    assert "/a, /b; signing fails: no route" in late.detail
    refused = judge_identities(held, NOBODY, "", {"b": "no such key"}, NOW)
    assert says(refused, Health.WARNING, "1 entry: /b (no such key)")
    wanted = Demand(subscribed=frozenset({"a", "b"}))
    waiting = judge_identities(replace(held, svids={}), wanted, "", {}, NOW)
    assert says(waiting, Health.FAILED, "wait for 2 SVIDs: /a, /b")


def test_our_own_svid_is_judged_by_our_standing() -> None:
    """A banned agent is told how to come back, one without a server to look at its log."""
    good = Standing(Phase.ATTESTED, own())
    assert says(judge_own_svid(good, AGENT, NOW), Health.OK, "is replaced in 30 min")
    early = judge_own_svid(good, AGENT, NOW - 3600)
    assert says(early, Health.FAILED, "not valid before")
    banned = judge_own_svid(Standing(Phase.BANNED), AGENT, NOW)
    assert "finial agent evict x509pop/a" in banned.remedy
    fresh = judge_own_svid(Standing(Phase.UNATTESTED), None, NOW)
    assert says(fresh, Health.FAILED, "no server has accepted it yet")
    lost = judge_own_svid(Standing(Phase.MUST_REATTEST), AGENT, NOW)
    assert (lost.health, lost.detail) == (Health.FAILED, "this agent must re-attest")
    assert "by itself" in lost.remedy
    once = judge_own_svid(Standing(Phase.ATTESTED, own(reattestable=False)), AGENT, NOW + 2000)
    assert once.health is Health.WARNING
    assert "cannot come back by itself" in once.remedy


def judged(link: Link, now: float = NOW, *, synced: bool = True) -> Diagnosis:
    return judge_server(link, "ca:8081", 5.0, now, synced=synced)


def test_a_server_that_is_followed_polled_or_away() -> None:
    """Away is a failure with its reason and its beginning, also where nothing was ever known."""
    followed = Link(connected=True, last_sync=NOW - 3)
    assert says(judged(followed), Health.OK, "compared 3 s ago")
    assert says(judged(Link(connected=True)), Health.WARNING, "not compared yet")
    followed.failed(SYNCHRONISATION, Refusal(Kind.INTERNAL, "bad page"), NOW - 90)
    assert says(judged(followed), Health.FAILED, "fails for 1 min 30 s: bad page")
    polled = Link(last_sync=NOW - 3, fault=Refusal(Kind.UNIMPLEMENTED, "no such service"))
    assert says(judged(polled), Health.OK, "is polled")
    assert judged(polled, NOW + 600).health is Health.FAILED
    away = Link(fault=Refusal(Kind.UNAVAILABLE, "refused"))
    assert says(judged(away, synced=False), Health.FAILED, "entries were never known")
    assert says(judged(Link(last_sync=NOW)), Health.FAILED, "what is held is served")
    blocked = judge_server(away, "ca:8081", 5.0, NOW, synced=True, locked_out=True)
    assert says(blocked, Health.FAILED, "nobody is served")
    assert "finial unblock" in blocked.remedy


def test_the_nearest_heartbeat_tells_the_servers_clock() -> None:
    """What was on its way for long makes the server seem slow; the last twelve are remembered."""
    clock = ServerClock()
    assert clock.offset is None
    for delay in (0.9, 0.2, 3.0):
        clock.heard(int((NOW + 5) * 1000), NOW + delay)
    assert clock.offset == pytest.approx(4.8)
    for _ in range(12):
        clock.heard(int(NOW * 1000), NOW + 0.5)
    assert clock.offset == pytest.approx(-0.5)
    clock.forget()
    assert clock.offset is None


def test_a_server_that_falls_silent_is_warned_of() -> None:
    """A stream may seem open for a minute although nobody is at its other end any more."""
    link = Link(connected=True, last_sync=NOW)
    assert judged(link, NOW + 600).health is Health.OK  # nobody knows how often it speaks
    for beat in range(4):
        link.server_clock.heard(0, NOW + 5 * beat)
    assert judged(link, NOW + 15 + 20).health is Health.OK
    silent = judged(link, NOW + 15 + 21)
    assert says(silent, Health.WARNING, "has said nothing for 21 s")
    link.server_clock.forget()
    assert judged(link, NOW + 600).health is Health.OK
    assert judge_server_clock(Link()).health is Health.WARNING


def test_a_certificate_of_another_time_hints_at_the_clocks() -> None:
    """A clock that is far off ends the handshake, before the server could tell its time."""
    fault = Refusal(
        Kind.UNAUTHENTICATED, "the server is not believed: certificate is not yet valid"
    )
    found = judge_server_clock(Link(fault=fault))
    assert says(found, Health.FAILED, "one of the clocks may be wrong")
    other = Refusal(Kind.UNAVAILABLE, "connection refused")
    assert judge_server_clock(Link(fault=other)).health is Health.WARNING


KERNEL = Kernel(
    release="6.8",
    peer_pidfd=True,
    cgroups="v2",
    user_namespaces=True,
    hides_processes=False,
    may_look=True,
    sees_all=True,
)


@pytest.mark.parametrize(
    ("kernel", "found"),
    [
        (KERNEL, {"kernel": Health.OK}),
        (replace(KERNEL, user_namespaces=False), {"kernel": Health.OK}),
        (replace(KERNEL, peer_pidfd=False), {"kernel": Health.WARNING}),
        (replace(KERNEL, sees_all=False), {"kernel": Health.OK, "pid namespace": Health.WARNING}),
        (replace(KERNEL, may_look=False), {"kernel": Health.OK, "proc": Health.WARNING}),
        (
            replace(KERNEL, may_look=False, hides_processes=True),
            {"kernel": Health.OK, "proc": Health.FAILED},
        ),
        (replace(KERNEL, hides_processes=True), {"kernel": Health.OK}),
    ],
)
def test_a_kernel_that_hides_callers_is_found(kernel: Kernel, found: dict[str, Health]) -> None:
    """CAP_SYS_PTRACE sees through hidepid; without a pidfd a caller is known less well."""
    assert {each.check: each.health for each in judge_kernel(kernel)} == found
