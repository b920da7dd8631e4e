"""Deciding whether a request may pass, in this order:

1. Which callee: one of the identities of the proxy that asks, as it was attested.
2. Who calls: by what proves it best (`agent.access.caller`).
3. A blocked callee or caller is denied, whatever the callee's mode.
4. In the callee's mode, what the rules say; where the caller could not be made out, or the rules
   are too old, that takes their place.
5. The decision is recorded. One that has to be audited and cannot be lets nobody through.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from agent.access.asked import Asked
from agent.access.callees import Callee
from agent.access.caller import Caller, Callers
from agent.access.held_policies import HeldPolicies
from agent.access.reasons import Obstacle
from agent.access.verdict import MAX_SHOWN, Outcome, Verdict
from agent.operations.attest_proxy import Proxy
from agent.operations.record_decisions import Decided, DecisionRecords
from finial.blocks import Block, Blocks
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True)
class AccessDecisions:
    """Decides; `rules_age` says how old the rules may be by now, at most `max_age` seconds.

    A `max_age` of 0 is for ever.
    """

    held: Watch[HeldPolicies | None]
    callers: Callers
    records: DecisionRecords
    clock: Clock
    rules_age: Callable[[float], float]
    max_age: float = 0.0

    def decide(self, proxy: Proxy, asked: Asked) -> Decided:
        """Decide about one request, and record it.

        Raises: Refusal of kind UNAVAILABLE: no rules have come from the server yet.
        """
        held = self.held.value
        if held is None:
            raise Refusal(
                Kind.UNAVAILABLE,
                "the agent has not yet learned who may call whom from the server",
                remedy="see that the server is a finial server and can be reached",
            )
        verdict = self._judge(held, proxy, asked)
        audited = verdict.callee in held.audited
        return self.records.record(verdict, proxy.process, audited=audited)

    def _judge(self, held: HeldPolicies, proxy: Proxy, asked: Asked) -> Verdict:
        callee = proxy.asker.callee(asked.named)
        if isinstance(callee, Obstacle):
            return _shown(Verdict(Outcome.DENIED, callee, None), asked)
        now = self.clock.now()
        caller = self.callers.find(asked, callee, now)
        blocked = _blocked(proxy, callee, caller, now)
        if blocked is not None:
            obstacle, block = blocked
            because = f"block {block.id} {block.sentence}"
            return _shown(
                Verdict(Outcome.DENIED, obstacle, callee.id, caller, because=because), asked
            )
        fault = caller.fault
        if fault is None and self.max_age and self.rules_age(now) > self.max_age:
            fault = Obstacle.RULES_STALE
        method, path = asked.method, asked.target.partition("?")[0]
        outcome, reason, by = held.decide(caller.id, callee.id, method, path, fault)
        shown = (method[:MAX_SHOWN], path[:MAX_SHOWN])
        return Verdict(outcome, reason, callee.id, caller, *shown, by, caller.detail)


def _shown(verdict: Verdict, asked: Asked) -> Verdict:
    path = asked.target.partition("?")[0][:MAX_SHOWN]
    return replace(verdict, method=asked.method[:MAX_SHOWN], path=path)


def _blocked(
    proxy: Proxy, callee: Callee, caller: Caller, now: float
) -> tuple[Obstacle, Block] | None:
    """What blocks one of both: an identity, an entry, a selector, a certificate or a token."""
    holdings = proxy.holdings
    if not holdings.blocks and holdings.lockout is None:
        return None
    withheld = [holdings.block_of(each, proxy.asker.selectors, now) for each in callee.entries]
    if withheld and all(withheld):
        [block, *_] = [each for each in withheld if each is not None]
        return Obstacle.CALLEE_BLOCKED, block
    block_of_caller = _block_of(holdings.blocks, caller, now)
    return None if block_of_caller is None else (Obstacle.CALLER_BLOCKED, block_of_caller)


def _block_of(blocks: Blocks, caller: Caller, now: float) -> Block | None:
    involved = (caller.id, *caller.through)
    found = (
        *(blocks.of_id(each, now) for each in involved if each is not None),
        *(blocks.of_serial(each, now) for each in caller.serials),
        blocks.of_jti(caller.jti, now) if caller.jti else None,
    )
    return next((each for each in found if each is not None), None)
