"""What a policy has to be before it is registered."""

import json

import pytest

from finial.policy.admission import METHODS, Known, faults
from finial.policy.document import PolicyText
from finial.policy.statement import Form
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind

KNOWN = Known(
    TrustDomain("example.org"), [TrustDomain("partner.org")], ["role", "team", "__entity"]
)
ANY = "permit(principal, action, resource)"


def rule(**members: object) -> PolicyText:
    least = {"name": "p", "from": "spiffe://example.org/a", "to": "spiffe://example.org/b"}
    return PolicyText("p", Form.RULE, json.dumps({**least, **members}))


def cedar(text: str) -> PolicyText:
    return PolicyText("p", Form.CEDAR, text)


@pytest.mark.parametrize(
    "policy",
    [
        rule(),
        rule(**{"from": ["spiffe://partner.org/*", "spiffe://example.org/a/*"]}),
        rule(methods=sorted(METHODS)),
        rule(when={"caller": {"role": "x"}, "callee": {"team": ["y", "z"]}}),
        cedar(f"{ANY};"),
        cedar(f'{ANY} when {{ principal.attributes.role.contains("x") }};'),
        cedar(f"{ANY} when {{ !principal.attributes.role.isEmpty() }} unless {{ false }};"),
        cedar(f'{ANY} when {{ context.method == "GET" || "POST" == context.method }};'),
        cedar(f'{ANY} when {{ ["GET", "POST"].contains(context.method) && true }};'),
        cedar(f'{ANY} when {{ context.method == "GET" || context.path == "/a" }};'),
        cedar(f'{ANY} when {{ context.path == "/a b/100%/\u00e9" }};'),
        cedar(f"{ANY} when {{ principal == resource && principal.id == resource.id }};"),
        cedar(f"{ANY} when {{ [principal, resource].contains(principal) }};"),
        cedar(f'{ANY} when {{ (if true then context else context).path == "/a" }};'),
        cedar('permit(principal == Workload::"spiffe://partner.org/a", action, resource) '
              'when { principal == Workload::"spiffe://partner.org/a" && context has path };'),
        cedar(f'{ANY} when {{ [principal, resource] == [principal] && principal has path }};'),
        cedar(f'{ANY} when {{ principal in Prefix::"spiffe://example.org/a" }};'),
        cedar(f'{ANY} when {{ principal.trust_domain == "partner.org" || '
              'resource.id == "spiffe://example.org/a" };'),
        rule(**{"from": ["spiffe://partner.org/*", "spiffe://example.org/a"],
                "when": {"caller": {"role": "x"}}}),
    ],
    ids=range(19),
)  # fmt: skip
def test_a_policy_that_can_match_is_registered(policy: PolicyText) -> None:
    """Rules and Cedar about known identities, methods and attributes are good."""
    assert [str(each) for each in faults(policy, KNOWN)] == []


NEVER = "it can never match"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (rule(to="x"), [("to", "begins with spiffe", "")]),
        (cedar("permit("), [("cedar", "not Cedar", "docs")]),
        (rule(methods=["post"]), [("methods", NEVER, "did you mean POST?")]),
        (rule(methods=["F\u00e9"]), [("methods", NEVER, "")]),
        (
            rule(**{"from": "spiffe://exmple.org/*"}),
            [("from", "not known here", "did you mean example.org?")],
        ),
        (rule(to="spiffe://zzz/x"), [("to", "not known here", "federate with it first")]),
        (rule(to="spiffe://partner.org/*"), [("to", NEVER, "register it there")]),
        (
            rule(**{"from": "spiffe://example.org"}),
            [("from", NEVER, "write spiffe://example.org/*")],
        ),
        (rule(to="spiffe://example.org/spire/*"), [("to", NEVER, "name a workload")]),
        (
            rule(**{"from": "spiffe://example.org/spire/agent/x", "methods": ["get", "PUT"]}),
            [("from", NEVER, ""), ("methods", NEVER, "GET")],
        ),
        (
            rule(when={"caller": {"rol": "x", "__entity": "y"}, "callee": {"zone": "z"}}),
            [
                ("when.caller", "two underscores", ""),
                ("when.caller", "no entry has", "did you mean role?"),
                ("when.callee", "no entry has", "give it to an entry first"),
            ],
        ),
        (
            cedar(f'{ANY} when {{ principal.attributes.rol.contains("x") }};'),
            [("cedar", "`attributes.rol`", "did you mean role?")],
        ),
        (cedar(f"{ANY} when {{ context.header == 1 }};"), [("cedar", "`header`", "")]),
        (cedar(f'{ANY} when {{ context.depth == "x" }};'), [("cedar", "not compatible", "")]),
        (
            cedar(f"{ANY} when {{ principal.attributes has zone }};"),
            [("cedar", "true of everybody", "!principal.attributes.zone.isEmpty()")],
        ),
        (
            cedar(f"forbid{ANY[6:]} unless {{ principal has attributes.role }};"),
            [("cedar", "true of everybody", "!principal.attributes.role.isEmpty()")],
        ),
        (
            cedar(f'forbid{ANY[6:]} when {{ principal == Prefix::"spiffe://example.org/a" }};'),
            [("cedar", "nobody is a Prefix", 'write in Prefix::"spiffe://example.org/a"')],
        ),
        (
            cedar(f'{ANY} when {{ principal.trust_domain == "exmple.org" }};'),
            [("cedar", "no such trust domain", "did you mean example.org?")],
        ),
        (
            cedar(f'{ANY} when {{ "spiffe://zzz/a" == resource.id }};'),
            [("cedar", "no such trust domain", "federate with it first")],
        ),
        (cedar(f'{ANY} when {{ principal.id == "/a" }};'), [("cedar", NEVER, "")]),
        (
            rule(**{"from": "spiffe://partner.org/*", "when": {"caller": {"role": "x"}}}),
            [("when.caller", NEVER, "leave the condition out")],
        ),
        (
            cedar(f'{ANY} when {{ !("get" == context.method) }};'),
            [("methods", NEVER, "did you mean GET?")],
        ),
        (
            cedar(f'{ANY} when {{ !["get", "PUT"].contains(context.method) }};'),
            [("methods", NEVER, "did you mean GET?")],
        ),
        (cedar(f'{ANY} when {{ context.path == "a" }};'), [("paths", NEVER, "")]),
        (cedar(f'{ANY} when {{ context.path == "/%41" }};'), [("paths", NEVER, "")]),
        (cedar(f"{ANY} when {{ false }};"), [("cedar", "false in itself", "")]),
        (cedar(f"{ANY} unless {{ true }};"), [("cedar", "false in itself", "")]),
        (
            cedar(f'{ANY} when {{ context.method == "GET" }} when {{ context.method == "PUT" }};'),
            [("cedar", "context.method cannot be all", "")],
        ),
        (
            cedar(
                'permit(principal, action, resource == Workload::"spiffe://example.org/a") when '
                '{ [Workload::"spiffe://example.org/b"].contains(resource) && context.depth > 1 };'
            ),
            [("cedar", "resource cannot be all", "")],
        ),
        (
            cedar(f'{ANY} when {{ resource in Prefix::"spiffe://example.or" }};'),
            [("cedar", "not known here", "did you mean example.org?")],
        ),
        (
            cedar('permit(principal, action, resource in Prefix::"spiffe://partner.org/x");'),
            [("to", NEVER, "register it there")],
        ),
    ],
    ids=range(31),
)
def test_a_policy_that_can_never_match_is_refused(
    policy: PolicyText, expected: list[tuple[str, str, str]]
) -> None:
    """Unknown identities, methods, attributes and contradictions: all reasons, where, and a way."""
    found = list(faults(policy, KNOWN))
    assert [each.field for each in found] == [field for field, _, _ in expected]
    for refusal, (_, fault, remedy) in zip(found, expected, strict=True):
        assert refusal.kind is Kind.INVALID
        assert fault in refusal.detail
        assert remedy in refusal.remedy
