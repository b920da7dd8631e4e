"""The rules in force, ready to decide, and what a callee's requests pass before they are asked."""

from dataclasses import dataclass

from agent.access.caller import Caller
from agent.access.reasons import Obstacle, Reason
from agent.access.verdict import Outcome
from finial.policy.decision import Mode
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class HeldPolicies:
    """One version of the rules; of `audited` callees every decision is audited."""

    rules: PolicySet
    audited: frozenset[SpiffeId] = frozenset()

    def decide(
        self, caller: Caller, callee: SpiffeId, method: str, target: str, fault: Obstacle | None
    ) -> tuple[Outcome, Reason, tuple[str, ...]]:
        """Decide in the callee's mode; a fault stands for what the rules would have said."""
        mode = self.rules.mode_of(callee)
        if fault is not None and mode in (Mode.SHADOW, Mode.ENFORCE):
            return Outcome.SHADOWED if mode is Mode.SHADOW else Outcome.DENIED, fault, ()
        decision = self.rules.decide(Request.read(caller.id, callee, method, target), mode)
        if decision.shadow:
            return Outcome.SHADOWED, decision.ground, decision.by
        outcome = Outcome.ALLOWED if decision.allowed else Outcome.DENIED
        return outcome, decision.ground, decision.by
