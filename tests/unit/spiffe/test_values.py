"""Refusals, selectors, validity and the IDs that are kept for servers and agents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.validity import Validity, renew_at
from finial.spiffe.well_known import agent_id, is_agent, is_reserved, judge_member, server_id

EXAMPLE = TrustDomain.parse("example.org")
NOW = 1_800_000_000


def test_a_refusal_is_a_sentence_with_its_remedy() -> None:
    """A refusal reads as what was wrong, followed by what to do where that is known."""
    bare = Refusal(Kind.DENIED, "the agent is banned", reason=Reason.AGENT_BANNED)
    assert (str(bare), bare.reason) == ("the agent is banned", Reason.AGENT_BANNED)
    assert str(Refusal(Kind.INVALID, "no path", remedy="give one")) == "no path: give one"


@pytest.mark.parametrize("text", ["unix:uid:1000", "a:b", "k8s:pod-label:a:b", "x: "])
def test_a_selector_is_a_type_and_a_value(text: str) -> None:
    """A selector reads back as it was written, and its value may hold colons."""
    assert str(Selector.parse(text)) == text


@pytest.mark.parametrize("text", ["", "unix", "unix:", ":uid"])
def test_a_selector_without_type_or_value_is_refused(text: str) -> None:
    """Neither the type nor the value of a selector is empty."""
    with pytest.raises(Refusal):
        Selector.parse(text)


def test_a_type_has_no_colon() -> None:
    """A type with a colon would read back as another selector."""
    with pytest.raises(Refusal):
        Selector.of("unix:uid", "1000")


@given(st.text(), st.text())
def test_any_two_texts_are_a_selector_or_refused(kind: str, value: str) -> None:
    """Whatever is joined to a selector reads back the same, or is refused."""
    try:
        found = Selector.of(kind, value)
    except Refusal:
        return
    assert Selector.parse(str(found)) == found


def test_a_validity_is_backdated_and_capped() -> None:
    """ID-29, JWT-16: a span begins a little in the past and ends with its issuer at the latest."""
    assert Validity.starting(NOW + 0.9, 60, cap=NOW + 3600) == Validity(NOW - 10, NOW + 60)
    assert Validity.starting(NOW, 3600, cap=NOW + 60, backdate=0) == Validity(NOW, NOW + 60)


@pytest.mark.parametrize("cap", [NOW - 1, NOW, NOW + 29])
def test_what_is_left_of_the_issuer_has_to_be_of_use(cap: int) -> None:
    """ID-29: when the issuer ends too soon nothing is issued."""
    with pytest.raises(Refusal) as refused:
        Validity.starting(NOW, 3600, cap=cap, least=30)
    assert refused.value.kind is Kind.UNAVAILABLE


@pytest.mark.parametrize("lifetime", [0, -1])
def test_a_lifetime_is_positive(lifetime: int) -> None:
    """ID-29: a lifetime of nothing or less is refused."""
    with pytest.raises(Refusal) as refused:
        Validity.starting(NOW, lifetime, cap=NOW + 60)
    assert refused.value.kind is Kind.INVALID


def test_both_ends_belong_to_a_validity() -> None:
    """X509-26: a span holds its first and its last second, and more by a leeway."""
    span = Validity(NOW, NOW + 10)
    assert [span.contains(NOW + s) for s in (-1, 0, 10, 10.5)] == [False, True, True, False]
    assert span.contains(NOW + 15, leeway=5)
    assert span.contains(NOW - 5, leeway=5)


@pytest.mark.parametrize(
    ("jitter", "due"), [(0, 500), (-1, 450), (1, 550), (0.5, 525), (-9, 450), (9, 550)]
)
def test_renewal_is_at_half_life_give_or_take_a_tenth(jitter: float, due: float) -> None:
    """Renewal is due at half of the lifetime, moved by at most a tenth of that half."""
    assert renew_at(NOW, NOW + 1000, jitter) == NOW + due
    assert Validity(NOW, NOW + 1000).renew_at(jitter) == NOW + due


def test_what_has_no_life_is_due_at_once() -> None:
    """A span that ends before it begins is due when it begins."""
    assert renew_at(NOW, NOW - 1000, 1) == NOW


def test_servers_and_agents_have_ids_of_their_own() -> None:
    """ID-30: what lies at and below /spire is kept for servers and agents."""
    server = server_id(EXAMPLE)
    agent = agent_id(EXAMPLE, "/x509pop/0a")
    assert (str(server), str(agent)) == (
        "spiffe://example.org/spire/server",
        "spiffe://example.org/spire/agent/x509pop/0a",
    )
    assert (is_agent(agent), is_agent(server)) == (True, False)
    assert is_reserved(agent)
    assert is_reserved(SpiffeId.parse("spiffe://example.org/spire"))
    assert not is_reserved(SpiffeId.parse("spiffe://example.org/spirea"))
    assert not is_agent(SpiffeId.parse("spiffe://example.org/spire/agent"))
    judge_member(agent, EXAMPLE)


@pytest.mark.parametrize("suffix", ["", "x", "/", "/a b", "/../server"])
def test_an_agents_path_goes_on_below_its_prefix(suffix: str) -> None:
    """ID-13, ID-15: what an attestor says of a node has to make a SPIFFE ID below /spire/agent."""
    try:
        found = agent_id(EXAMPLE, suffix)
    except Refusal:
        return
    pytest.fail(f"{found} is no agent's ID")
