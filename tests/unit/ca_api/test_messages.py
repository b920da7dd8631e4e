"""Agents and their filters as SPIRE's messages."""

import pytest

from ca.api.grpc.messages.agents import agent_message, match_of, node_filter
from ca.api.grpc.messages.bundles import bundle_from
from ca.api.grpc.messages.entries import trust_domain_from
from ca.api.grpc.messages.masks import AGENT_FIELDS, masked
from ca.api.grpc.sync import pages
from ca.registry.match import Match
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.wire.pb import agent_pb2, types_pb2
from finial.wire.pb.well_known import BoolValue
from tests.doubles.datastore import node

Filter = agent_pb2.ListAgentsRequest.Filter


def test_an_agent_is_written_as_its_mask_says() -> None:
    """Every field comes with its mask bit, the ID always (spire-wire 2.3)."""
    shown = node(agent_version="1.2", can_reattest=True)
    whole = agent_message(shown, AGENT_FIELDS)
    assert whole.attestation_type == "x509pop"
    assert whole.x509svid_serial_number == "1"
    assert whole.x509svid_expires_at == shown.expires_at
    assert [each.value for each in whole.selectors] == ["subject:cn:one"]
    assert (whole.can_reattest, whole.banned, whole.agent_version) == (True, False, "1.2")
    bare = agent_message(shown, frozenset())
    assert bare == types_pb2.Agent(id=whole.id)


def test_a_mask_that_is_absent_wants_everything() -> None:
    """A present and empty one wants nothing."""
    assert masked(agent_pb2.GetAgentRequest(), "output_mask", AGENT_FIELDS) == AGENT_FIELDS
    empty = agent_pb2.GetAgentRequest(output_mask=types_pb2.AgentMask())
    assert masked(empty, "output_mask", AGENT_FIELDS) == frozenset()
    some = agent_pb2.GetAgentRequest(output_mask=types_pb2.AgentMask(banned=True, selectors=False))
    assert masked(some, "output_mask", AGENT_FIELDS) == {"banned"}


def test_a_filter_of_agents_is_read() -> None:
    """Every part becomes a question; what is absent asks nothing."""
    nothing = node_filter(Filter())
    assert nothing.attestation_type is None
    assert nothing.banned is None
    wanted = node_filter(
        Filter(
            by_attestation_type="x509pop",
            by_banned=BoolValue(value=False),
            by_can_reattest=BoolValue(value=True),
            by_expires_before="2026-11-22 03:00:00 +0100 +01",
            by_selector_match=types_pb2.SelectorMatch(
                selectors=[types_pb2.Selector(type="a", value="b")], match="MATCH_ANY"
            ),
        )
    )
    assert wanted.attestation_type == "x509pop"
    assert (wanted.banned, wanted.can_reattest) == (False, True)
    assert wanted.expires_before == 1795312800
    assert wanted.selectors == frozenset({Selector("a", "b")})
    assert wanted.selectors_match is Match.ANY


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-22", "2026-11-22 03:00:00", "x y z w"])
def test_a_time_that_is_none_is_ignored(text: str) -> None:
    """SPIRE ignores a malformed by_expires_before, and its clients may rely on it (TQ-05)."""
    assert node_filter(Filter(by_expires_before=text)).expires_before is None


def test_an_unknown_way_to_match_is_refused() -> None:
    """There are four ways, numbered as SPIRE numbers them."""
    assert [match_of(number) for number in range(4)] == list(Match)
    with pytest.raises(Refusal):
        match_of(4)


def test_a_trust_domain_is_given_by_name_or_id() -> None:
    """Both spellings are accepted on input (spire-wire 3)."""
    assert trust_domain_from("spiffe://a.org") == trust_domain_from("a.org") == TrustDomain("a.org")
    for bad in ("", "spiffe://", "a.org/x"):
        with pytest.raises(Refusal):
            trust_domain_from(bad)


def test_a_bundle_has_no_negative_refresh_hint() -> None:
    """A hint is a number of seconds."""
    with pytest.raises(Refusal) as caught:
        bundle_from(types_pb2.Bundle(trust_domain="a.org", refresh_hint=-1))
    assert caught.value.kind is Kind.INVALID


def test_there_is_always_a_page() -> None:
    """Nothing is one empty page; a full page is the last when nothing follows."""
    assert list(pages([])) == [([], False)]
    assert [(len(page), more) for page, more in pages(range(500))] == [(500, False)]
    assert [(len(page), more) for page, more in pages(range(501))] == [(500, True), (1, False)]


def test_a_page_is_no_larger_than_agents_receive() -> None:
    """Messages are counted by their bytes; one that is too large by itself goes alone (TR-12)."""
    small, large = types_pb2.Entry(hint="x" * 98), types_pb2.Entry(hint="x" * 5000)
    assert [len(page) for page, _ in pages([small] * 5, 250)] == [2, 2, 1]
    assert [len(page) for page, _ in pages([small, large, small], 250)] == [1, 1, 1]
    assert [len(page) for page, _ in pages([], 250)] == [0]
