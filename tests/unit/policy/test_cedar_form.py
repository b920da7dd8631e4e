"""Policies written in Cedar."""

from contextlib import suppress

import pytest

from finial.policy.cedar.form import MAX_OPERATORS, read_cedar
from finial.policy.cedar.text import schema_text
from finial.policy.rule import MAX_TEXT, Effect
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

ANY = "permit(principal, action, resource)"


def one(text: str) -> Statement:
    (found,) = read_cedar("p", text)
    return found


@pytest.mark.parametrize(
    ("head", "callers", "callees"),
    [
        ("principal, action, resource", [], []),
        ("principal is Workload, action, resource", [], []),
        (
            'principal == Workload::"spiffe://example.org/a", action == Action::"call", '
            'resource in Prefix::"spiffe://example.org/b"',
            ["spiffe://example.org/a"],
            ["spiffe://example.org/b/*"],
        ),
        (
            'principal in Workload::"spiffe://example.org/a", action in [Action::"call"], '
            'resource is Workload in Prefix::"spiffe://example.org"',
            ["spiffe://example.org/a"],
            ["spiffe://example.org/*"],
        ),
    ],
)
def test_the_scope_tells_whom_a_statement_is_about(
    head: str, callers: list[str], callees: list[str]
) -> None:
    """What is indexed is read from Cedar's own tree; no scope is about everybody."""
    found = one(f"permit({head});")
    assert [str(each) for each in found.callers] == callers
    assert [str(each) for each in found.callees] == callees
    assert found.effect is Effect.ALLOW
    assert found.name == "p"
    callee = SpiffeId.parse("spiffe://example.org/b/c")
    assert found.may_concern([callee])


def test_a_statement_tells_what_its_text_uses() -> None:
    """Attributes and prefixes of conditions are found wherever they stand."""
    found = one(
        'forbid(principal, action, resource) when { principal.attributes.role.contains("x") }'
        ' unless { resource.attributes has team && principal in Prefix::"spiffe://example.org/a" };'
    )
    assert found.effect is Effect.DENY
    assert {"role", "team"} <= found.attributes
    assert found.prefixes == {"spiffe://example.org/a"}
    assert [str(each) for each in found.named] == ["spiffe://example.org/a/*"]
    assert found.places


def test_several_statements_have_names_of_their_own() -> None:
    """They are named by `@id`, or by their number, in the order of the text."""
    text = "\n".join([f"{ANY};", f'@id("second") forbid{ANY[6:]};', *[f"{ANY};"] * 10])
    names = [each.name for each in read_cedar("p", text)]
    assert names == ["p/1", "p/second", *(f"p/{number}" for number in range(3, 13))]
    assert [each.effect for each in read_cedar("p", text)][:2] == [Effect.ALLOW, Effect.DENY]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not 0"),
        ("// nothing", "not 0"),
        ("permit", "not Cedar"),
        ("permit(principal, action, resource)", "not Cedar"),
        (f"{ANY} when {{ headers }};", "not Cedar"),
        ("permit(principal == ?principal, action, resource);", "template"),
        (f"{ANY};" * 65, "1 to 64 statements, not 65"),
        ('permit(principal, action == Action::"read", resource);', "no action 'read'"),
        ('permit(principal == Action::"call", action, resource);', "neither calls"),
        ('permit(principal == User::"x", action, resource);', "type User"),
        ('permit(principal == Workload::"x", action, resource);', "begins with spiffe"),
        (f'{ANY} when {{ principal in Prefix::"spiffe://a/*" }};', "path segment"),
        (f"{ANY} when {{ {' || '.join(['true'] * 150)} }};", "100 levels"),
        (f"{ANY} when {{ {'(' * 49}{'true' + ')' * 49} && {'(' * 50}", "50 levels deep"),
        (f"{ANY} when {{ {' || '.join(['true'] * 201)} }};", "more than 200"),
        (f"{ANY} when {{ principal.attributes == resource.attributes }};", "one by one"),
        (f"{ANY} when {{ (if true then principal else resource).attributes == {{}} }};", "one by"),
        (f"{ANY} when {{ [principal.attributes].contains(resource.attributes) }};", "one by one"),
        (
            f"{ANY} when {{ (if true then principal.attributes else resource.attributes)"
            ' has team && principal.attributes.team.contains("x") };',
            "one by one",
        ),
        (f'@id("a") {ANY}; @id("a") {ANY};', "same @id"),
        (f'@id("2") {ANY}; {ANY};', "same @id"),
        (f'@id("a\\n") {ANY}; {ANY};', "control character"),
        ("\ud800", "character"),
        ("\0", "character"),
        ("/" * (MAX_TEXT + 1), "at most"),
    ],
)
def test_text_that_is_no_policy_is_refused(text: str, fault: str) -> None:
    """Text that does not parse, or names what there is not, is refused with the reason."""
    with pytest.raises(Refusal, match=fault) as refused:
        read_cedar("p", text)
    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 9000 + "true" + ")" * 9000,
        "[" * 9000 + "]" * 9000,
        " || ".join(["true"] * 9000),
        " && ".join(["true"] * 9000),
        "if true then " * 4000 + "true" + " else false" * 4000,
        "context" + ".a" * 9000,
        "1" + " + 1" * 9000 + " == 1",
        "1" + " * 1" * 9000 + " == 1",
        "1" + " - 1" * 9000 + " == 1",
        "-" * 9000 + "1 == 1",
        "!" * 9000 + "true",
        "{a:" * 9000 + "1" + "}" * 9000 + ".a",
        '"' + "(" * 9000,
        '"\\"' + "(" * 9000,
        '"a" // "\n' + "(" * 9000 + '"',
        "//\r" + "(" * 9000,
    ],
    ids=range(16),
)
def test_no_text_ends_the_process(condition: str) -> None:
    """Cedar's parser recurses until the stack ends: text that nests too deep never gets there."""
    with pytest.raises(Refusal) as refused:
        read_cedar("p", f"{ANY} when {{ {condition} }};")
    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("if true then ", " else true"),
        ("true || ", ""),
        ("1 + ", ""),
        ("context.", ""),
    ],
)
def test_what_may_reach_the_parser_does_not_end_the_process(opening: str, closing: str) -> None:
    """The greatest number of brackets and operators is one that Cedar's parser survives."""
    times = MAX_OPERATORS - 8
    condition = opening * times + "true" + closing * times
    with suppress(Refusal):
        read_cedar("p", f"{ANY} when {{ {condition} }};")


def test_brackets_in_texts_and_remarks_are_no_brackets() -> None:
    """Only what nests is counted, statement by statement."""
    brackets = "(" * (MAX_OPERATORS + 1)
    text = f'// {brackets}\n{ANY} when {{ context.path == "\\"{brackets}" }};'
    assert one(text).attributes >= {"path"}
    many = f"{ANY} when {{ {' || '.join(['true'] * 90)} }};" * 10
    assert len(read_cedar("p", many)) == 10


def test_the_schema_knows_the_attributes_it_is_told() -> None:
    """Names are quoted; those that Cedar keeps for itself are left out."""
    text = schema_text(["role", 'my "team"', "role", "__entity"])
    assert 'attributes: { "my \\"team\\"": Set<String>, "role": Set<String> }' in text
