"""The agent's own standing: what it does when time passes or the server says no."""

import pytest

from agent.membership.standing import OwnSvid, Phase, Standing, Step, remedy
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Reason
from tests.doubles.clock import NOW

AGENT = SpiffeId(TrustDomain("example.org"), "/spire/agent/x509pop/abc")
NEW = Standing(Phase.UNATTESTED)


def svid(*, reattestable: bool) -> OwnSvid:
    return OwnSvid(AGENT, (b"leaf",), "agent-svid-a", 1, int(NOW) + 100, NOW + 50, reattestable)


PROVABLE = NEW.attested(svid(reattestable=True))
ONCE = NEW.attested(svid(reattestable=False))
LOSING = [
    Reason.AGENT_EXPIRED,
    Reason.AGENT_NOT_ACTIVE,
    Reason.AGENT_NOT_ATTESTED,
    Reason.AGENT_MUST_REATTEST,
]


def test_without_an_svid_the_agent_attests() -> None:
    """An agent that has no SVID attests."""
    assert NEW.next_step(NOW) is Step.ATTEST


def test_with_an_svid_it_waits_for_the_instant_of_renewal() -> None:
    """Until the instant fixed on receipt there is nothing to do."""
    assert ONCE.next_step(NOW + 49) is Step.WAIT


def test_who_cannot_prove_the_node_again_renews() -> None:
    """BR-02: a join token was spent, so its agent renews its SVID with RenewAgent."""
    assert ONCE.next_step(NOW + 50) is Step.RENEW


def test_who_can_prove_the_node_again_attests_anew() -> None:
    """BR-02: a reattestable agent replaces its SVID by a complete new attestation."""
    assert PROVABLE.next_step(NOW + 50) is Step.ATTEST


@pytest.mark.parametrize("reason", LOSING)
def test_a_denied_agent_attests_anew_where_it_can(reason: Reason) -> None:
    """BR-05: each of the four reasons sends a reattestable agent back to attestation."""
    denied = PROVABLE.denied(reason)
    assert denied == Standing(Phase.MUST_REATTEST)
    assert denied.next_step(NOW) is Step.ATTEST


@pytest.mark.parametrize("reason", [Reason.UNKNOWN, Reason.AGENT_BLOCKED])
def test_some_denials_leave_the_agent_who_it_is(reason: Reason) -> None:
    """A blocked agent keeps its SVID, with which it comes back when it is unblocked."""
    assert ONCE.denied(reason) is ONCE


@pytest.mark.parametrize("reason", LOSING)
def test_a_denied_agent_stops_where_it_cannot(reason: Reason) -> None:
    """BR-05: each of the four reasons ends an agent that cannot prove its node again."""
    denied = ONCE.denied(reason)
    assert denied == Standing(Phase.LOST)
    assert denied.next_step(NOW) is Step.STOP


@pytest.mark.parametrize("standing", [NEW, PROVABLE, ONCE])
def test_a_banned_agent_stops(standing: Standing) -> None:
    """BR-06: a ban ends every agent, also one that could attest again."""
    banned = standing.denied(Reason.AGENT_BANNED)
    assert banned == Standing(Phase.BANNED)
    assert banned.next_step(NOW) is Step.STOP


def test_a_denial_without_a_reason_changes_nothing() -> None:
    """BR-05: agents decide by the reason; a denial without one is about the call, not about us."""
    assert PROVABLE.denied(Reason.UNKNOWN) == PROVABLE


def test_a_denied_attestation_changes_nothing() -> None:
    """Who has no SVID yet cannot lose it; the attestation is tried again."""
    assert NEW.denied(Reason.AGENT_NOT_ATTESTED) == NEW


@pytest.mark.parametrize(
    ("standing", "phase"), [(PROVABLE, Phase.MUST_REATTEST), (ONCE, Phase.LOST)]
)
def test_an_svid_that_expired_here_is_lost_here(standing: Standing, phase: Phase) -> None:
    """An SVID that expired while the server was away counts as expired without asking."""
    assert standing.at(NOW + 99) == standing
    assert standing.at(NOW + 100) == Standing(phase)
    assert NEW.at(NOW) == NEW


def test_a_tainted_authority_makes_the_own_svid_due() -> None:
    """BR-01: when the authority of our SVID is tainted it is renewed at once."""
    assert ONCE.due_now().next_step(NOW) is Step.RENEW
    assert NEW.due_now() == NEW


def test_the_operator_is_told_what_to_run() -> None:
    """An agent that stops names the command that brings it back."""
    assert "finial agent evict x509pop/abc" in remedy(Phase.BANNED, AGENT)
    assert "finial agent evict AGENT" in remedy(Phase.BANNED, None)
    assert "its SVID is worth nothing" in remedy(Phase.LOST, AGENT)
    never_joined = remedy(Phase.UNATTESTED, None)
    assert "its SVID" not in never_joined
    for said in (never_joined, remedy(Phase.LOST, AGENT)):
        assert "finial token create" in said


def test_a_phase_is_said_in_words() -> None:
    """The words follow `this agent`, whichever phase it is."""
    assert Phase.BANNED.words == "is banned"
    assert Phase.MUST_REATTEST.words == "must re-attest"
