"""One statement of a policy in Cedar, with what an index has to know of it."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from finial.policy.cedar.text import rule_text
from finial.policy.id_pattern import IdPattern
from finial.policy.path.pattern import PathPattern
from finial.policy.rule import Effect, Rule
from finial.spiffe.identity import SpiffeId


class Form(enum.StrEnum):
    """How a policy is written."""

    RULE = "rule"
    CEDAR = "cedar"


@dataclass(frozen=True, slots=True)
class Statement:
    """What Cedar is asked, and whom it can be about at most.

    No callers, callees or paths means that it may be about any of them. `named` are all IDs and
    prefixes of the text, `attributes` the names that it uses, and `places` tells whether it asks
    for `context.segments`. In the form of a rule it tells paths apart by the patterns alone.
    """

    name: str
    effect: Effect
    text: str
    callers: tuple[IdPattern, ...]
    callees: tuple[IdPattern, ...]
    paths: tuple[PathPattern, ...] = ()
    attributes: frozenset[str] = frozenset()
    named: frozenset[IdPattern] = frozenset()
    places: bool = False
    form: Form = Form.RULE

    @classmethod
    def of(cls, rule: Rule) -> "Statement":
        """The statement that a rule is."""
        return cls(
            name=rule.name,
            effect=rule.effect,
            text=rule_text(rule),
            callers=rule.callers,
            callees=rule.callees,
            paths=rule.judged_paths,
            attributes=frozenset(name for name, _ in (*rule.caller_has, *rule.callee_has)),
            named=frozenset((*rule.callers, *rule.callees)),
            places=any(each.has_star_inside for each in rule.paths),
        )

    @property
    def prefixes(self) -> frozenset[str]:
        """The prefixes that the text names."""
        return frozenset(str(each.id) for each in self.named if each.below)

    def may_match(self, path: str) -> bool:
        """Whether it can be about this reading of a path."""
        return not self.paths or any(each.matches(path) for each in self.paths)

    def may_concern(self, callees: Iterable[SpiffeId]) -> bool:
        """Whether one of these callees can be one that the statement is about."""
        return not self.callees or any(
            pattern.matches(callee) for callee in callees for pattern in self.callees
        )

    def may_concern_any(self, callees: IdPattern) -> bool:
        """Whether one of those whom the pattern names can be one that the statement is about."""
        return not self.callees or any(each.overlaps(callees) for each in self.callees)
