"""What an agent receives."""

import json

import pytest

from finial.policy.decision import Mode
from finial.policy.document import (
    MAX_DOCUMENT,
    PolicyDocument,
    PolicyText,
    Reader,
    decode_policies,
    read_policy,
)
from finial.policy.rule import MAX_TEXT
from finial.policy.statement import Form
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

PAYMENT = "spiffe://example.org/payment"
RULE = PolicyText(
    "orders",
    Form.RULE,
    json.dumps({"name": "orders", "from": "spiffe://example.org/orders", "to": PAYMENT}),
)
CEDAR = PolicyText("all", Form.CEDAR, "permit(principal, action, resource);")
DOCUMENT = PolicyDocument(
    version=7,
    callees={PAYMENT: Mode.ENFORCE},
    policies=(RULE, CEDAR),
    attributes={PAYMENT: {"team": ["a", "b"]}},
)


def test_a_document_survives_its_journey() -> None:
    """What is decoded is what was encoded, and equal documents have equal bytes."""
    assert decode_policies(DOCUMENT.encoded()) == DOCUMENT
    one = PolicyDocument(version=1, callees={"b": Mode.OPEN, "a": Mode.SHADOW})
    other = PolicyDocument(version=1, callees={"a": Mode.SHADOW, "b": Mode.OPEN})
    assert one.encoded() == other.encoded()


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"", "no document"),
        (b"\xff", "no document"),
        (b"{}", "version"),
        (b'{"version": 1}', "callees"),
        (b'{"version": 1, "callees": {"a": "off"}}', "off"),
        (b'{"version": 1, "callees": {}, "only_on": "sundays"}', "only_on"),
        (b" " * (MAX_DOCUMENT + 1), "too many"),
    ],
    ids=range(7),
)
def test_what_is_no_document_is_refused(document: bytes, fault: str) -> None:
    """A broken document, or one with members that might be restrictions, is refused."""
    with pytest.raises(Refusal, match=fault) as refused:
        decode_policies(document)
    assert refused.value.kind is Kind.INVALID


def test_a_document_becomes_a_set() -> None:
    """Version, modes and the number of statements are the document's."""
    made = Reader().policy_set(DOCUMENT)
    assert made.version == 7
    assert len(made) == 2
    assert made.mode_of(SpiffeId.parse(PAYMENT)) is Mode.ENFORCE
    assert made.mode_of(SpiffeId.parse("spiffe://example.org/orders")) is None
    about = made.about(SpiffeId.parse("spiffe://example.org/x"), SpiffeId.parse(PAYMENT))
    assert [each.name for each in about] == ["all"]


def test_a_policy_is_read_once() -> None:
    """A new version costs the reading of what is new in it."""
    reader = Reader()
    orders, payment = SpiffeId.parse("spiffe://example.org/orders"), SpiffeId.parse(PAYMENT)
    first = reader.policy_set(DOCUMENT).about(orders, payment)
    second = reader.policy_set(DOCUMENT).about(orders, payment)
    assert all(one is other for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "document",
    [
        PolicyDocument(version=1, callees={"x": Mode.OPEN}),
        PolicyDocument(version=1, callees={}, attributes={"x": {}}),
        PolicyDocument(version=1, callees={}, policies=(PolicyText("a", Form.RULE, "{}"),)),
        PolicyDocument(version=1, callees={}, policies=(PolicyText("a", Form.CEDAR, "x"),)),
        PolicyDocument(version=1, callees={}, policies=(PolicyText("", Form.CEDAR, CEDAR.text),)),
        PolicyDocument(version=1, callees={}, policies=(PolicyText("a", Form.RULE, RULE.text),)),
        PolicyDocument(
            version=1, callees={}, policies=(PolicyText("a", Form.RULE, "\ud800" * MAX_TEXT),)
        ),
    ],
    ids=range(7),
)
def test_a_document_is_read_whole_or_not_at_all(document: PolicyDocument) -> None:
    """One ID or policy that cannot be read refuses the whole: a rule less may be one that denies."""
    with pytest.raises(Refusal) as refused:
        Reader().policy_set(document)
    assert refused.value.kind is Kind.INVALID


def test_both_forms_are_statements() -> None:
    """A policy in either form is read to statements that carry its name."""
    assert [each.name for each in (*read_policy(RULE), *read_policy(CEDAR))] == ["orders", "all"]
