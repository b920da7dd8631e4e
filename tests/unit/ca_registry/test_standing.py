"""Whether an agent is still the one that attested."""

import pytest

from ca.registry.nodes.standing import (
    banned,
    judge_agent,
    judge_attestation,
    judge_renewal,
    renewed,
)
from finial.spiffe.refusal import Kind, Reason, Refusal
from tests.doubles.entries import agent, node

NOW = 1_800_000_000.0
LATER = NOW + 60
A = agent("a")


def _refused(
    serial: str = "1", *, known: bool = True, ends: float = LATER, ban: bool = False
) -> Refusal:
    own = node(new_serial_number="2") if known else None
    with pytest.raises(Refusal) as caught:
        judge_agent(banned(own) if ban and own else own, serial, ends, NOW, agent=A)
    assert caught.value.kind is Kind.DENIED
    return caught.value


def test_an_agent_with_the_current_serial_is_welcome() -> None:
    """BR-04: a valid certificate, a record, and the serial that the record holds."""
    standing = judge_agent(node(), "1", LATER, NOW, agent=A)
    assert standing.node == node()
    assert not standing.changed


def test_an_svid_is_good_to_its_last_second() -> None:
    """BR-04: both ends of a certificate's life belong to it."""
    assert judge_agent(node(), "1", NOW, NOW, agent=A).node
    assert _refused(ends=NOW - 1).reason is Reason.AGENT_EXPIRED


def test_the_first_use_of_a_new_serial_makes_it_the_only_one() -> None:
    """BR-03: both serials are good until the new one is used, then the former is not active."""
    given = renewed(node(), "2", 1_800_007_200)
    assert judge_agent(given, "1", LATER, NOW, agent=A).changed is False
    standing = judge_agent(given, "2", LATER, NOW, agent=A)
    assert standing.changed
    assert (standing.node.serial_number, standing.node.expires_at) == ("2", 1_800_007_200)
    assert (standing.node.new_serial_number, standing.node.new_expires_at) == ("", 0)
    with pytest.raises(Refusal) as caught:
        judge_agent(standing.node, "1", LATER, NOW, agent=A)
    assert caught.value.reason is Reason.AGENT_NOT_ACTIVE


def test_each_refusal_has_its_reason_and_text() -> None:
    """BR-04: agents decide by the reason; the texts are SPIRE's (spire-wire 2.1)."""
    name = 'agent "spiffe://example.org/spire/agent/x509pop/a"'
    for refusal, reason, text in (
        (_refused(ends=NOW - 1), Reason.AGENT_EXPIRED, f"{name} SVID is expired"),
        (_refused(known=False), Reason.AGENT_NOT_ATTESTED, f"{name} is not attested"),
        (_refused(ban=True), Reason.AGENT_BANNED, f"{name} is banned"),
        (
            _refused("3"),
            Reason.AGENT_NOT_ACTIVE,
            f'{name} expected to have serial number "1"; has "3"',
        ),
    ):
        assert refusal.reason is reason
        assert refusal.detail == text


def test_an_empty_serial_is_never_the_new_one() -> None:
    """BR-04: a record without a new serial is not matched by a caller without one."""
    with pytest.raises(Refusal) as caught:
        judge_agent(node(), "", LATER, NOW, agent=A)
    assert caught.value.reason is Reason.AGENT_NOT_ACTIVE


def test_an_agent_that_can_attest_again_is_not_renewed() -> None:
    """BR-02: it is told to attest again."""
    judge_renewal(node())
    with pytest.raises(Refusal) as caught:
        judge_renewal(node(can_reattest=True))
    assert caught.value.reason is Reason.AGENT_MUST_REATTEST


def test_a_banned_agent_cannot_attest_until_it_is_evicted() -> None:
    """BR-06: a ban clears both serials and stands against a new attestation."""
    barred = banned(renewed(node(), "2", 5))
    assert (barred.serial_number, barred.new_serial_number, barred.banned) == ("", "", True)
    with pytest.raises(Refusal) as caught:
        judge_attestation(barred)
    assert caught.value.detail == "failed to attest: agent is banned"
    judge_attestation(node())
    judge_attestation(None)


def test_a_node_that_was_banned_meanwhile_is_not_renewed() -> None:
    """BR-06: between the judgement of a renewal and its storing an administrator may ban."""
    with pytest.raises(Refusal) as caught:
        renewed(banned(node()), "2", 1_800_007_200)
    assert caught.value.reason is Reason.AGENT_BANNED
