"""Rules as JSON."""

import json

import pytest

from finial.policy.cedar.text import rule_text
from finial.policy.path.pattern import PathPattern
from finial.policy.rule import MAX_TEXT, Effect, judge_name, read_rule
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

LEAST = {"name": "n", "from": "spiffe://example.org/a", "to": "spiffe://example.org/b"}


def rule(**members: object) -> bytes:
    return json.dumps({**LEAST, **members}).encode()


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {},
            'permit(principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource == Workload::"spiffe://example.org/b");',
        ),
        (
            {"from": "spiffe://example.org/team-a/*", "effect": "deny"},
            'forbid(principal in Prefix::"spiffe://example.org/team-a", action == Action::"call", '
            'resource == Workload::"spiffe://example.org/b");',
        ),
        (
            {"methods": ["POST", "PUT"], "paths": ["/transaction/*", "/health"]},
            'permit(principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource == Workload::"spiffe://example.org/b") when { '
            '(context.method == "POST" || context.method == "PUT") && '
            '(context.path like "/transaction/*" || context.path == "/health") };',
        ),
        (
            {"paths": ["/u/*/o", "/u/*/f/*", "/*/*", '/%2A"\\u00e9/*']},
            'permit(principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource == Workload::"spiffe://example.org/b") when { '
            '((context.depth == 3 && context.segments.containsAll(["0/u", "2/o"])) || '
            '(context.depth > 3 && context.segments.containsAll(["0/u", "2/f"])) || '
            "(context.depth > 1) || "
            'context.path like "/\\*\\"\\u{e9}/*") };',
        ),
        (
            {
                "to": ["spiffe://example.org/b", "spiffe://example.org/c/*"],
                "when": {"caller": {"role": "batch", "my team": ["x", 'y"']}, "callee": {"e": "p"}},
            },
            'permit(principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource) when { (resource == Workload::"spiffe://example.org/b" || '
            'resource in Prefix::"spiffe://example.org/c") && '
            'principal.attributes["my team"].containsAny(["x", "y\\""]) && '
            'principal.attributes["role"].containsAny(["batch"]) && '
            'resource.attributes["e"].containsAny(["p"]) };',
        ),
        (
            {"effect": "deny", "paths": ["/admin"]},
            'forbid(principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource == Workload::"spiffe://example.org/b") when { '
            '(context.path == "/admin" || context.path == "/admin/") };',
        ),
    ],
    ids=range(6),
)
def test_a_rule_is_a_statement_in_cedar(members: dict[str, object], text: str) -> None:
    """Both forms are one: what a rule says can be read in Cedar."""
    document = json.loads(json.dumps({**LEAST, **members}).replace("\\\\u00e9", "\\u00e9"))
    read = read_rule(json.dumps(document).encode())
    assert rule_text(read) == text


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b'{"name": "n", "name": "n"}', "twice"),
        (b"[" * 100, "deeper"),
        (b'{"name": "n"}', "missing required field 'from'"),
        (rule(name=""), "1 to 128 characters"),
        (rule(name="a" * 129), "1 to 128 characters"),
        (rule(name="a\n"), "control character"),
        (rule(name=1), "got 'int'"),
        (rule(headers={}), "unknown field 'headers'"),
        (rule(when={"header": {}}), "unknown field 'header'"),
        (rule(effect="permit"), "permit"),
        (rule(**{"from": []}), "list is empty"),
        (rule(**{"from": "*"}), "one star"),
        (rule(to=["spiffe://example.org/b", "x"]), "begins with spiffe"),
        (rule(to=[f"spiffe://example.org/{n}" for n in range(65)]), "at most 64"),
        (rule(methods=[]), "list is empty"),
        (rule(paths=[]), "list is empty"),
        (rule(paths=["/../x"]), "never match"),
        (rule(when={"caller": {"role": []}}), "list is empty"),
        (rule(when={"callee": {str(n): "x" for n in range(65)}}), "at most 64"),
        (rule(name="a" * MAX_TEXT), "longer than"),
    ],
)
def test_what_is_no_rule_is_refused(document: bytes, fault: str) -> None:
    """A rule of another shape, or one that says nothing, is refused with the reason."""
    with pytest.raises(Refusal, match=fault) as refused:
        read_rule(document)
    assert refused.value.kind is Kind.INVALID


def test_a_fault_tells_where_it_is() -> None:
    """The refusal of a pattern names the rule's member."""
    for member in ("from", "to"):
        with pytest.raises(Refusal) as refused:
            read_rule(rule(**{member: "spiffe://a/*/b"}))
        assert refused.value.field == member


def test_a_denial_is_about_the_path_with_a_slash_at_its_end_too() -> None:
    """`/admin/` is no way around a rule that denies `/admin`, but is not allowed with it."""
    allowing = read_rule(rule(paths=["/admin", "/a/*"]))
    denying = read_rule(rule(paths=["/admin", "/a/*"], effect="deny"))
    assert denying.effect is Effect.DENY
    assert [str(each) for each in allowing.judged_paths] == ["/admin", "/a/*"]
    assert [str(each) for each in denying.judged_paths] == ["/admin", "/admin/", "/a/*"]


def test_a_name_is_given_back() -> None:
    """A name that may be one stays as it is."""
    assert judge_name("orders may charge \u00e9") == "orders may charge \u00e9"


def test_a_statement_knows_what_it_may_be_about() -> None:
    """An index needs the patterns; a node gets only what concerns its callees."""
    statement = Statement.of(
        read_rule(
            rule(
                to=["spiffe://example.org/b", "spiffe://example.org/c/*"],
                paths=["/u/*/o"],
                when={"caller": {"role": "x"}, "callee": {"team": "y"}},
            )
        )
    )
    assert statement.attributes == {"role", "team"}
    assert statement.prefixes == {"spiffe://example.org/c"}
    assert statement.paths == (PathPattern.parse("/u/*/o"),)
    assert statement.places
    callees = {
        path: statement.may_concern([SpiffeId.parse(f"spiffe://example.org{path}")])
        for path in ("/a", "/b", "/c", "/c/d")
    }
    assert callees == {"/a": False, "/b": True, "/c": False, "/c/d": True}
    assert not statement.may_concern([])
