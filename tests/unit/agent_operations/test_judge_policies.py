"""What an agent's diagnosis says of the rules."""

from agent.access.held_policies import HeldPolicies
from agent.operations.diagnosing.policies import judge_policies
from agent.operations.keep_policies import POLICIES
from agent.operations.link import Link
from finial.explain.diagnosis import Health
from finial.policy.document import Reader, decode_policies
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.access import CHARGE, policies
from tests.doubles.clock import NOW

HELD = HeldPolicies(Reader().policy_set(decode_policies(policies(3, None, CHARGE))))


def test_rules_that_decide_are_well() -> None:
    """With their version; a server that has said nothing is no failure."""
    found = judge_policies(HELD, Link(), 0.0, 60.0, NOW)
    assert found.health is Health.OK
    assert found.detail == "1 statement about 1 callee, version 3"
    assert judge_policies(None, Link(), 99.0, 60.0, NOW).health is Health.OK
    assert judge_policies(HELD, Link(), 1e9, 0.0, NOW).health is Health.OK


def test_rules_that_are_not_taken_are_a_failure() -> None:
    """What the server said last does not decide here, or would not after a restart."""
    link = Link()
    link.failed(POLICIES, Refusal(Kind.UNAVAILABLE, "no space left"), NOW - 60)
    found = judge_policies(HELD, link, 0.0, 0.0, NOW)
    assert found.health is Health.FAILED
    assert found.detail.endswith("version 3; for 1 min: no space left")


def test_stale_rules_are_a_failure() -> None:
    """Where the operator has said how old they may be."""
    found = judge_policies(HELD, Link(), 120.0, 60.0, NOW)
    assert found.health is Health.FAILED
    assert "for 2 min" in found.detail
