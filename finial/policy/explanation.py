"""Why a request is allowed or denied: what keeps each policy about the callee from matching.

For operators; who was denied is told a reason id and nothing of this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finial.policy.cedar.engine import Attributes
from finial.policy.document import PolicyText, read_policy
from finial.policy.grounds import Ground
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.policy.rule import Conditions, Effect, Rule, read_rule
from finial.policy.statement import Form, Statement
from finial.spiffe.identity import SpiffeId

Identities = Mapping[SpiffeId, Attributes]


@dataclass(frozen=True, slots=True)
class Compared:
    """One statement and a request; `gaps` are sentences, none where the statement matches."""

    name: str
    effect: Effect
    gaps: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether the statement is about this request."""
        return not self.gaps


@dataclass(frozen=True, slots=True)
class Change:
    """A request that other rules would decide otherwise; `by` names the rules that do, or did."""

    request: Request
    before: Ground
    after: Ground
    by: tuple[str, ...]


def explain(
    policies: Iterable[PolicyText], request: Request, identities: Identities
) -> tuple[Compared, ...]:
    """What each policy about the callee says of a request, those that match or nearly do first.

    Raises: Refusal of kind INVALID when a policy cannot be read.
    """
    found = [
        _compared(statement, policy, request, identities)
        for policy in policies
        for statement in read_policy(policy)
        if statement.may_concern((request.callee,))
    ]
    return tuple(sorted(found, key=lambda each: len(each.gaps)))


def changes(before: PolicySet, after: PolicySet, requests: Iterable[Request]) -> tuple[Change, ...]:
    """Which of these requests are decided otherwise by other rules, were all callees enforced.

    Both know the same attributes, so that a pair about which both say the same is not asked about.
    """
    found = []
    for request in requests:
        caller, callee = request.caller, request.callee
        if caller is None or before.about(caller, callee) == after.about(caller, callee):
            continue
        one, other = before.judge(request), after.judge(request)
        if one.allowed != other.allowed:
            found.append(Change(request, one.ground, other.ground, other.by or one.by))
    return tuple(found)


def _compared(
    statement: Statement, policy: PolicyText, request: Request, identities: Identities
) -> Compared:
    ruling = PolicySet(0, (statement,), {}, identities).judge(request)
    if ruling.by:
        return Compared(statement.name, statement.effect, ())
    if request.caller is None or request.fault is not None:
        return Compared(statement.name, statement.effect, (ruling.ground.sentence,))
    gaps = tuple(_caller_gap(statement, request.caller))
    if policy.form is Form.RULE:
        rule = read_rule(policy.text.encode())
        gaps += (*_rule_gaps(rule, request), *_attribute_gaps(rule, request, identities))
    return Compared(statement.name, statement.effect, gaps or ("a condition of it is not met",))


def _caller_gap(statement: Statement, caller: SpiffeId) -> Iterable[str]:
    if statement.callers and not any(each.matches(caller) for each in statement.callers):
        yield f"the caller is {caller}, not {_either(statement.callers)}"


def _rule_gaps(rule: Rule, request: Request) -> Iterable[str]:
    if rule.methods and request.method not in rule.methods:
        yield f"the method is {request.method}, not {_either(rule.methods)}"
    if not rule.paths:
        return
    others = [
        path
        for path in request.readings
        if not any(each.matches(path) for each in rule.judged_paths)
    ]
    # One reading is enough to be denied.
    if others and (rule.effect is Effect.ALLOW or len(others) == len(request.readings)):
        may = "may be read as" if len(request.readings) > 1 else "is"
        yield f"the path {may} {others[0]}, not {_either(rule.paths)}"


def _attribute_gaps(rule: Rule, request: Request, identities: Identities) -> Iterable[str]:
    sides = (
        ("caller", request.caller, rule.caller_has),
        ("callee", request.callee, rule.callee_has),
    )
    for side, identity, conditions in sides:
        has = identities.get(identity, {}) if identity is not None else {}
        yield from _unmet(side, has, conditions)


def _unmet(side: str, has: Attributes, conditions: Conditions) -> Iterable[str]:
    for name, wanted in conditions:
        values = has.get(name, ())
        if not set(values) & set(wanted):
            have = f"is {_either(values)}" if values else "is missing"
            yield f"the {side}'s attribute {name} {have}, not {_either(wanted)}"


def _either(alternatives: Iterable[object]) -> str:
    listed = [str(each) for each in alternatives]
    return " or ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
