"""A policy written in Cedar: what its statements are about, read from Cedar's own syntax tree."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

from finial.policy.cedar.text import ACTION, ATTRIBUTES, PREFIX, WORKLOAD
from finial.policy.id_pattern import IdPattern
from finial.policy.rule import MAX_LISTED, MAX_TEXT, Effect, judge_name
from finial.policy.statement import Form, Statement
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    from cedarpy import pst

MAX_STATEMENTS: Final = MAX_LISTED
MAX_OPERATORS: Final = 200
MAX_NESTING: Final = 50
"""Brackets and operators of one statement, and brackets within each other. Cedar's parser recurses,
and ends the process when its stack does: on a small one some hundred brackets are enough."""

_EFFECTS: Final = {"permit": Effect.ALLOW, "forbid": Effect.DENY}
_token = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n\r]*+|\|\||&&|\bif\b|[][(){}.+*!;-]', re.DOTALL)
_OPENING: Final = frozenset({"(", "[", "{", "if"})
_CLOSING: Final = frozenset({")", "]", "}"})


def read_cedar(name: str, text: str) -> tuple[Statement, ...]:
    """Read a policy in Cedar, of at most 64 KiB and 64 statements.

    Statements of a policy with several are named `policy/id` by their `@id`, or by their number.

    Raises: Refusal of kind INVALID: text that does not parse, templates, entities that are none of
    ours, or IDs that are no SPIFFE IDs.
    """
    found = _parse(text)
    if found.templates:
        raise _invalid("a template is a policy for nobody", "name whom it is about")
    statements = found.static_policies
    if not 0 < len(statements) <= MAX_STATEMENTS:
        fault = f"a policy has 1 to {MAX_STATEMENTS} statements, not {len(statements)}"
        raise _invalid(fault, "write several policies" if statements else "write permit or forbid")
    named = list(zip(_names(name, statements), _in_order(statements), strict=True))
    if len(dict(named)) < len(named):
        raise _invalid("two statements have the same @id", "give each its own")
    return tuple(_statement(*each) for each in named)


def nodes(node: object) -> Iterator[object]:
    """A node of Cedar's tree and all below it."""
    yield node
    if isinstance(node, Mapping):
        below: Iterator[object] = iter(node.values())
    elif isinstance(node, tuple):
        below = iter(node)
    elif is_dataclass(node):
        below = (getattr(node, each.name) for each in fields(node))
    else:
        return
    for each in below:
        yield from nodes(each)


def judge_text(text: str) -> None:
    """Let only a text near Cedar's parser that it survives.

    Raises: Refusal of kind INVALID.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise _invalid(f"a policy has at most {MAX_TEXT} bytes", "write several policies")
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        raise _invalid("the text holds a character that is none", "write plain text")
    count = depth = 0
    for token in _token.finditer(text):
        mark = token[0]
        if mark == ";":
            count = depth = 0
        elif not mark.startswith(('"', "//")):
            count += mark not in _CLOSING
            depth += (mark in _OPENING) - (mark in _CLOSING)
        if count > MAX_OPERATORS or depth > MAX_NESTING:
            fault = f"a statement has more than {MAX_OPERATORS} brackets and operators"
            if depth > MAX_NESTING:
                fault = f"brackets are more than {MAX_NESTING} levels deep"
            raise _invalid(fault, "use a set, or several statements")


def _parse(text: str) -> "pst.PolicySet":
    judge_text(text)
    import cedarpy

    try:
        return cedarpy.policies_to_pst(text)
    except ValueError as error:
        fault = f"the text is not Cedar: {' '.join(str(error).split())}"
        raise _invalid(fault, "see https://docs.cedarpolicy.com") from error


def _names(name: str, statements: "Mapping[str, pst.Template]") -> Iterator[str]:
    if len(statements) == 1:
        yield name
        return
    for number, each in enumerate(_in_order(statements), 1):
        yield f"{name}/{judge_name(each.annotations.get('id') or str(number))}"


def _in_order(statements: "Mapping[str, pst.Template]") -> "list[pst.Template]":
    # Cedar numbers them as they are written: policy0, policy1 and so on.
    return [statements[f"policy{number}"] for number in range(len(statements))]


def _statement(name: str, found: "pst.Template") -> Statement:
    import cedarpy
    from cedarpy import pst

    below = list(nodes(found))
    named = [_named(each) for each in below if isinstance(each, pst.EntityUid)]
    _judge_attributes(below)
    alone = pst.PolicySet({}, {found.id: found}, ())
    return Statement(
        name=name,
        effect=_EFFECTS[found.effect],
        text=str(cedarpy.PolicySet.from_pst(alone)),
        callers=_scope(found.principal),
        callees=_scope(found.resource),
        attributes=frozenset(_attributes(below)),
        named=frozenset(each for each in named if each is not None),
        places=True,
        form=Form.CEDAR,
    )


def _attributes(below: list[object]) -> Iterator[str]:
    """All names of attributes, of whatever they are: one too many does not matter."""
    from cedarpy import pst

    for each in below:
        if isinstance(each, pst.GetAttr):
            yield each.attr
        elif isinstance(each, pst.HasAttr):
            yield from each.attrs


def _judge_attributes(below: list[object]) -> None:
    """Refuse attributes as a whole: Cedar is told only of those that statements name."""
    from cedarpy import pst

    def are_all(node: object) -> bool:
        return isinstance(node, pst.GetAttr) and node.attr == ATTRIBUTES

    named = [
        each for each in below if isinstance(each, pst.GetAttr | pst.HasAttr) and are_all(each.base)
    ]
    if len(named) < sum(map(are_all, below)):
        raise _invalid("attributes are looked at one by one", "name one: attributes.NAME")


def _scope(scope: "pst.PrincipalOrResourceConstraint") -> tuple[IdPattern, ...]:
    from cedarpy import pst

    if isinstance(scope, pst.ScopeAny | pst.ScopeIs):
        return ()
    entity = scope.entity
    # A template's slot is the other thing it could be, and there are no templates.
    assert isinstance(entity, pst.EntityUid)
    whom = _named(entity)
    if whom is None:
        raise _invalid("an action neither calls nor is called", f"name a {WORKLOAD}")
    return (whom,)


def _named(entity: "pst.EntityUid") -> IdPattern | None:
    """Whom an entity stands for, nobody if it is the action."""
    kind = str(entity.type)
    if kind in (WORKLOAD, PREFIX):
        return IdPattern(SpiffeId.parse(entity.id), below=kind == PREFIX)
    if kind != "Action":
        raise _invalid(f"there are no entities of type {kind[:80]}", f"use {WORKLOAD} or {PREFIX}")
    if entity.id != ACTION:
        fault = f"there is no action {entity.id[:80]!r}"
        raise _invalid(fault, f'the only one is Action::"{ACTION}"')
    return None


def _invalid(fault: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="cedar", remedy=remedy)
