"""The rules in force, ready to decide, with what they decided last.

A version of the rules says the same of the same request each time; blocks, tokens and all else that
may change are looked at before. So what it said is kept for as long as the version: most callers
send few kinds of requests, again and again.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from agent.access.reasons import Obstacle, Reason
from agent.access.verdict import Outcome
from finial.policy.decision import Mode
from finial.policy.policy_set import PolicySet
from finial.policy.request import MAX_METHOD, Request
from finial.spiffe.identity import SpiffeId

MOST_KEPT: Final = 8192
MAX_PATH_KEPT: Final = 256

Said = tuple[Outcome, Reason, tuple[str, ...]]
"""What becomes of a request, why, and the names of the rules that decided."""

_Key = tuple[SpiffeId | None, SpiffeId, str, str]


@dataclass(frozen=True, slots=True)
class HeldPolicies:
    """One version of the rules; of `audited` callees every decision is audited."""

    rules: PolicySet
    audited: frozenset[SpiffeId] = frozenset()
    _said: OrderedDict[_Key, Said] = field(default_factory=OrderedDict, compare=False)

    def decide(
        self,
        caller: SpiffeId | None,
        callee: SpiffeId,
        method: str,
        path: str,
        fault: Obstacle | None,
    ) -> Said:
        """Decide in the callee's mode; a fault stands for what the rules would have said.

        `path` has no query.
        """
        if fault is not None:
            mode = self.rules.mode_of(callee)
            if mode is Mode.SHADOW or mode is Mode.ENFORCE:
                return Outcome.SHADOWED if mode is Mode.SHADOW else Outcome.DENIED, fault, ()
        if len(path) > MAX_PATH_KEPT or len(method) > MAX_METHOD:
            return self._ask(caller, callee, method, path)
        key = (caller, callee, method, path)
        said = self._said.get(key)
        if said is None:
            said = self._said[key] = self._ask(caller, callee, method, path)
            if len(self._said) > MOST_KEPT:
                self._said.popitem(last=False)
        return said

    def _ask(self, caller: SpiffeId | None, callee: SpiffeId, method: str, path: str) -> Said:
        mode = self.rules.mode_of(callee)
        decision = self.rules.decide(Request.read(caller, callee, method, path), mode)
        if decision.shadow:
            return Outcome.SHADOWED, decision.ground, decision.by
        outcome = Outcome.ALLOWED if decision.allowed else Outcome.DENIED
        return outcome, decision.ground, decision.by
