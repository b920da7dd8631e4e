"""Why a request is allowed or denied."""

import json
from collections.abc import Sequence

import pytest

from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, PolicyText, Reader
from finial.policy.explanation import Change, Compared, changes, explain
from finial.policy.grounds import Ground
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.policy.rule import Effect
from finial.policy.statement import Form
from finial.spiffe.identity import SpiffeId

ORDERS = SpiffeId.parse("spiffe://example.org/orders")
BATCH = SpiffeId.parse("spiffe://example.org/batch")
PAYMENT = SpiffeId.parse("spiffe://example.org/payment")
IDENTITIES = {ORDERS: {"role": ["web"], "tier": ["1"]}, PAYMENT: {"team": ["money", "risk"]}}


def rule(name: str, **members: object) -> PolicyText:
    least = {"name": name, "from": str(ORDERS), "to": str(PAYMENT)}
    return PolicyText(name, Form.RULE, json.dumps({**least, **members}))


CHARGE = rule("charge", methods=["POST", "PUT"], paths=["/transaction/*"])
DENY_WHEN = rule("w", effect="deny", paths=["/x/*"], when={"caller": {"role": "batch"}})
DENY = rule("deny", effect="deny", paths=["/admin", "/x/*"])
WHEN = rule(
    "when", when={"caller": {"role": "batch", "tier": "1", "zone": "a"}, "callee": {"team": "x"}}
)
CEDAR = PolicyText(
    "cedar",
    Form.CEDAR,
    'permit(principal == Workload::"spiffe://example.org/orders", action, resource)'
    ' when { context.method == "DELETE" };',
)
ELSEWHERE = rule("elsewhere", to="spiffe://example.org/other/*")
POLICIES = (CHARGE, DENY, WHEN, CEDAR, ELSEWHERE)
ALLOW = Effect.ALLOW


def call(
    method: str = "POST", path: str = "/transaction/1", caller: SpiffeId | None = ORDERS
) -> Request:
    return Request.read(caller, PAYMENT, method, path)


NOT_WHEN = (
    "the caller's attribute role is web, not batch",
    "the caller's attribute zone is missing, not a",
    "the callee's attribute team is money or risk, not x",
)
DENIED = "the path is {}, not /admin or /x/*"
CONDITION = ("a condition of it is not met",)


@pytest.mark.parametrize(
    ("request_", "compared"),
    [
        (
            call(),
            [
                Compared("charge", ALLOW, ()),
                Compared("deny", Effect.DENY, (DENIED.format("/transaction/1"),)),
                Compared("cedar", ALLOW, CONDITION),
                Compared("when", ALLOW, NOT_WHEN),
            ],
        ),
        (
            call("DELETE", "/admin/"),
            [
                Compared("deny", Effect.DENY, ()),
                Compared("cedar", ALLOW, ()),
                Compared(
                    "charge",
                    ALLOW,
                    (
                        "the method is DELETE, not POST or PUT",
                        "the path is /admin/, not /transaction/*",
                    ),
                ),
                Compared("when", ALLOW, NOT_WHEN),
            ],
        ),
        (
            call(path="/transaction/../x/1"),
            [
                Compared("deny", Effect.DENY, ()),
                Compared("charge", ALLOW, ("the path may be read as /x/1, not /transaction/*",)),
                Compared("cedar", ALLOW, CONDITION),
                Compared("when", ALLOW, NOT_WHEN),
            ],
        ),
    ],
    ids=range(3),
)
def test_each_policy_tells_what_keeps_it_from_matching(
    request_: Request, compared: Sequence[Compared]
) -> None:
    """Policies about the callee are compared member by member, the nearest first."""
    found = explain(POLICIES, request_, IDENTITIES)
    assert list(found) == compared
    assert [each.matches for each in found] == [not each.gaps for each in found]


def test_one_reading_is_enough_to_be_denied() -> None:
    """The path is no gap of a rule that denies where one of its readings matches."""
    (found,) = explain([DENY_WHEN], call(path="/transaction/../x/1"), IDENTITIES)
    assert found.gaps == ("the caller's attribute role is web, not batch",)


def test_another_caller_is_named() -> None:
    """A caller that a policy does not name is the first thing that is said, in both forms."""
    found = {each.name: each.gaps for each in explain(POLICIES, call(caller=BATCH), IDENTITIES)}
    gap = "the caller is spiffe://example.org/batch, not spiffe://example.org/orders"
    assert {name: gaps[0] for name, gaps in found.items()} == dict.fromkeys(found, gap)
    assert found["cedar"] == (gap,)


def test_what_no_policy_can_allow_is_said_of_each() -> None:
    """Without a caller, or with a path that is not read, nothing else is compared."""
    for request, ground in (
        (call(caller=None), Ground.NO_IDENTITY),
        (call(path="/%00"), Ground.PATH_AMBIGUOUS),
    ):
        gaps = {each.gaps for each in explain(POLICIES, request, IDENTITIES)}
        assert gaps == {(ground.sentence,)}


def made(*policies: PolicyText) -> PolicySet:
    document = PolicyDocument(
        version=1, callees={str(PAYMENT): Mode.ENFORCE}, policies=tuple(policies)
    )
    return Reader().policy_set(document)


def test_a_change_of_rules_is_tried_on_requests() -> None:
    """Only requests that would be decided otherwise are told, with what decides now."""
    requests = [call(), call("GET"), call(path="/x/1"), call("PUT", "/transaction/x/1")]
    less = rule("no put", effect="deny", methods=["PUT"])
    assert changes(made(CHARGE), made(CHARGE), requests) == ()
    assert changes(made(CHARGE), made(CHARGE, less), requests) == (
        Change(requests[3], Ground.ALLOWED, Ground.FORBIDDEN, ("no put",)),
    )
    assert changes(made(CHARGE), made(), requests[:1]) == (
        Change(requests[0], Ground.ALLOWED, Ground.NO_RULE, ("charge",)),
    )
