"""The rules in force, and what comes of a request by them."""

from dataclasses import dataclass

from agent.access.reasons import Obstacle, Reason
from agent.access.verdict import Outcome
from finial.policy.decision import Mode
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.spiffe.identity import SpiffeId

Said = tuple[Outcome, Reason, tuple[str, ...]]
"""What becomes of a request, why, and the names of the rules that decided."""


@dataclass(frozen=True, slots=True)
class HeldPolicies:
    """One version of the rules; of `audited` callees every decision is audited."""

    rules: PolicySet
    audited: frozenset[SpiffeId] = frozenset()

    def decide(
        self,
        caller: SpiffeId | None,
        callee: SpiffeId,
        method: str,
        path: str,
        fault: Obstacle | None,
    ) -> Said:
        """Decide in the callee's mode; a fault stands for what the rules would have said."""
        mode = self.rules.mode_of(callee)
        if fault is not None and (mode is Mode.SHADOW or mode is Mode.ENFORCE):
            return Outcome.SHADOWED if mode is Mode.SHADOW else Outcome.DENIED, fault, ()
        decision = self.rules.decide(Request.read(caller, callee, method, path), mode)
        if decision.shadow:
            return Outcome.SHADOWED, decision.ground, decision.by
        outcome = Outcome.ALLOWED if decision.allowed else Outcome.DENIED
        return outcome, decision.ground, decision.by
