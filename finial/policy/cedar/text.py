"""A rule written in Cedar, and the schema that both forms are judged by.

    entity Prefix;
    entity Workload in [Prefix] { id, trust_domain, path, attributes }
    action call appliesTo { principal: Workload, resource: Workload, context }

A `Prefix` holds all workloads below it: `principal in Prefix::"spiffe://example.org/team-a"`.
Each attribute is a set of texts, empty where an identity has no such attribute. Of a path the
context has the whole (`path`), how many segments it has (`depth`), and the first 16 with their
places (`segments`, such as "0/transaction"), so that a star for one segment can be said exactly.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from finial.policy.id_pattern import IdPattern
from finial.policy.path.pattern import PathPattern
from finial.policy.rule import Conditions, Effect, Rule

WORKLOAD: Final = "Workload"
PREFIX: Final = "Prefix"
ACTION: Final = "call"
ATTRIBUTES: Final = "attributes"

# Names that Cedar's JSON gives a meaning of its own: `__entity`, `__extn`.
RESERVED: Final = "__"

_EFFECTS: Final = {Effect.ALLOW: "permit", Effect.DENY: "forbid"}
_escaped = re.compile(r'[\\"]|[^ -~]')


def rule_text(rule: Rule) -> str:
    """One statement in Cedar that says exactly what the rule says."""
    who, callers = _subject("principal", rule.callers)
    whom, callees = _subject("resource", rule.callees)
    clauses = [
        *callers,
        *callees,
        *_methods(rule.methods),
        *_paths(rule.judged_paths),
        *_attributes("principal", rule.caller_has),
        *_attributes("resource", rule.callee_has),
    ]
    head = f'{_EFFECTS[rule.effect]}({who}, action == Action::"{ACTION}", {whom})'
    return f"{head} when {{ {' && '.join(clauses)} }};" if clauses else f"{head};"


def schema_text(attributes: Iterable[str]) -> str:
    """The schema in Cedar; `attributes` are the names that are known."""
    named = sorted(each for each in set(attributes) if not each.startswith(RESERVED))
    known = ", ".join(f"{quoted(each)}: Set<String>" for each in named)
    return f"""
entity {PREFIX};
entity {WORKLOAD} in [{PREFIX}] {{
    id: String, trust_domain: String, path: String, attributes: {{ {known} }},
}};
action {ACTION} appliesTo {{
    principal: [{WORKLOAD}],
    resource: [{WORKLOAD}],
    context: {{ method: String, path: String, segments: Set<String>, depth: Long }},
}};
"""


def quoted(text: str) -> str:
    """A text as Cedar writes it."""
    return f'"{_escape(text)}"'


def place(number: int, segment: str) -> str:
    """How a segment of a path and its place are one text in `context.segments`."""
    return f"{number}/{segment}"


def _subject(variable: str, patterns: Sequence[IdPattern]) -> tuple[str, list[str]]:
    if len(patterns) == 1:
        return _one(variable, patterns[0]), []
    # A scope holds one entity; several are a condition.
    return variable, [_any(_one(variable, each) for each in patterns)]


def _one(variable: str, pattern: IdPattern) -> str:
    if pattern.below:
        return f"{variable} in {PREFIX}::{quoted(str(pattern.id))}"
    return f"{variable} == {WORKLOAD}::{quoted(str(pattern.id))}"


def _methods(methods: Sequence[str]) -> list[str]:
    return [_any(f"context.method == {quoted(each)}" for each in methods)] if methods else []


def _paths(paths: Sequence[PathPattern]) -> list[str]:
    return [_any(map(_path, paths))] if paths else []


def _path(pattern: PathPattern) -> str:
    if pattern.is_exact:
        return f"context.path == {quoted(pattern.literal)}"
    if not pattern.has_star_inside:
        like = _escape(pattern.literal).replace("*", "\\*")
        return f'context.path like "{like}/*"'
    length = len(pattern.segments)
    depth = f"context.depth > {length}" if pattern.rest else f"context.depth == {length}"
    places = ", ".join(
        quoted(place(number, each))
        for number, each in enumerate(pattern.segments)
        if each is not None
    )
    return f"({depth} && context.segments.containsAll([{places}]))" if places else f"({depth})"


def _attributes(variable: str, conditions: Conditions) -> list[str]:
    return [
        f"{variable}.attributes[{quoted(name)}].containsAny([{', '.join(map(quoted, values))}])"
        for name, values in conditions
    ]


def _any(alternatives: Iterable[str]) -> str:
    joined = " || ".join(alternatives)
    return f"({joined})"


def _escape(text: str) -> str:
    return _escaped.sub(_escape_one, text)


def _escape_one(found: re.Match[str]) -> str:
    return f"\\{found[0]}" if found[0] in '\\"' else f"\\u{{{ord(found[0]):x}}}"
