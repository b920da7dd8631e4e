"""What a statement in Cedar compares with literals, and whether that can ever be true.

Cedar's validator knows types, not values: it finds nothing wrong with a method that does not exist,
or with two that have to be there at once.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finial.policy.cedar.form import nodes
from finial.policy.cedar.text import ATTRIBUTES, PREFIX

if TYPE_CHECKING:
    from cedarpy import pst

Possible = frozenset[str]


def compared(text: str) -> "Iterator[tuple[str, Possible]]":
    """What is compared with literals anywhere in a statement, such as `context.method`, and which.

    `text` is one statement that parses.
    """
    for node in nodes(_only(text)):
        found = _equality(node)
        if found is not None:
            yield found


def attributes_asked_for(text: str) -> Iterator[str]:
    """Names of attributes that a statement asks for with `has`, which no validator judges."""
    from cedarpy import pst

    for node in nodes(_only(text)):
        # What has several names behind `has` was taken apart by the parser.
        if (
            isinstance(node, pst.HasAttr)
            and isinstance(node.base, pst.GetAttr)
            and node.base.attr == ATTRIBUTES
        ):
            yield node.attrs[0]


def prefixes_taken_for_workloads(text: str) -> Iterator[str]:
    """Prefixes that a workload is said to be, or not to be, though it only lies below them."""
    from cedarpy import pst

    for node in nodes(_only(text)):
        if isinstance(node, pst.BinaryOp) and node.op in ("eq", "not_eq"):
            for each in (node.left, node.right):
                if isinstance(each, pst.EntityLit) and str(each.value.type) == PREFIX:
                    yield each.value.id


def contradiction(text: str) -> str:
    """Why the statement is never true, as far as that can be told; empty if it may be."""
    found = _only(text)
    facts: dict[str, Possible] = {}
    for subject, possible in _facts(found):
        facts[subject] = facts.get(subject, possible) & possible
        if not facts[subject]:
            return f"{subject} cannot be all that is asked for at once"
    if any(_is(part, False) for part in _parts(found)):
        return "a condition is false in itself"
    return ""


def _only(text: str) -> "pst.Template":
    import cedarpy

    return cedarpy.policies_to_pst(text).static_policies["policy0"]


def _facts(found: "pst.Template") -> Iterator[tuple[str, Possible]]:
    from cedarpy import pst

    for subject, scope in (("principal", found.principal), ("resource", found.resource)):
        if isinstance(scope, pst.ScopeEq) and isinstance(scope.entity, pst.EntityUid):
            yield subject, frozenset({scope.entity.id})
    for part in _parts(found):
        fact = _alternatives(part)
        if fact is not None:
            yield fact


def _parts(found: "pst.Template") -> "Iterator[pst.Expr]":
    """What all has to be true."""
    from cedarpy import pst

    for clause in found.clauses:
        if isinstance(clause, pst.When):
            yield from _split(clause.expr, "and")
        elif _is(clause.expr, True):
            yield pst.BoolLit(False)


def _split(expression: "pst.Expr", operator: str) -> "Iterator[pst.Expr]":
    from cedarpy import pst

    if isinstance(expression, pst.BinaryOp) and expression.op == operator:
        yield from _split(expression.left, operator)
        yield from _split(expression.right, operator)
    else:
        yield expression


def _alternatives(part: "pst.Expr") -> tuple[str, Possible] | None:
    """One subject and what it may be, if the part says nothing else."""
    found = [_equality(each) for each in _split(part, "or")]
    known = [each for each in found if each is not None]
    subjects = {subject for subject, _ in known}
    if len(known) < len(found) or len(subjects) > 1:
        return None
    return subjects.pop(), frozenset().union(*(possible for _, possible in known))


def _equality(node: object) -> tuple[str, Possible] | None:
    from cedarpy import pst

    if not isinstance(node, pst.BinaryOp):
        return None
    if node.op == "eq":
        return _fact(node.left, (node.right,)) or _fact(node.right, (node.left,))
    if node.op == "contains" and isinstance(node.left, pst.Set):
        return _fact(node.right, node.left.elements)
    return None


def _fact(
    expression: "pst.Expr", alternatives: "Sequence[pst.Expr]"
) -> tuple[str, Possible] | None:
    subject = _subject(expression)
    values = [_literal(each) for each in alternatives]
    known = frozenset(each for each in values if each is not None)
    return (subject, known) if subject and None not in values else None


def _subject(expression: "pst.Expr") -> str:
    from cedarpy import pst

    if isinstance(expression, pst.Var):
        return expression.name
    if isinstance(expression, pst.GetAttr):
        base = _subject(expression.base)
        return f"{base}.{expression.attr}" if base else ""
    return ""


def _literal(expression: "pst.Expr") -> str | None:
    from cedarpy import pst

    if isinstance(expression, pst.StringLit):
        return expression.value
    return expression.value.id if isinstance(expression, pst.EntityLit) else None


def _is(expression: "pst.Expr", value: bool) -> bool:
    from cedarpy import pst

    return isinstance(expression, pst.BoolLit) and expression.value is value
