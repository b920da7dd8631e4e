"""Asks everything that can be asked, side by side, in bounded time.

Nothing that is asked may take the answer of the others with it: what hangs is said to hang, what
raises is a bug, is logged whole and said to be one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.attestation.situation import SIGNING
from agent.cache.view import Holdings
from agent.operations.diagnosing import blocks, holdings, membership, node, policies
from agent.operations.keep_policies import PolicyKeeping
from agent.operations.link import Link
from agent.operations.member import Member
from agent.operations.refresh_svids import SvidRefresh
from agent.operations.subscriptions import Subscriptions
from agent.settings import Agent
from attestors.contract import WorkloadAttestor
from finial.explain.checkup import failed
from finial.explain.diagnosis import Diagnosis
from finial.runtime.clock import Clock
from finial.runtime.patience import within
from finial.runtime.watch import Watch

SECONDS: Final = 3.0
MOST_OF_ONE: Final = 20
"""An attestor may say so many things of itself."""

Findings = Sequence[Diagnosis]


@dataclass(frozen=True, slots=True)
class Diagnosing:
    """What an agent's diagnosis looks at; `check_audit` raises a Refusal where nothing fits in."""

    settings: Agent
    member: Member
    holdings: Watch[Holdings]
    subscriptions: Subscriptions
    refresh: SvidRefresh
    link: Link
    keeping: PolicyKeeping
    address: Callable[[], str]
    attestors: Sequence[WorkloadAttestor]
    check_audit: Callable[[], None]
    clock: Clock

    async def diagnose(self) -> list[Diagnosis]:
        """Look at everything; it takes some seconds at most."""
        asked: dict[str, Awaitable[Findings]] = {
            "node": asyncio.to_thread(node.diagnose, self.settings, self.check_audit),
            **{f"attestor {each.name}": self._attestor(each) for each in self.attestors},
        }
        known = [*self._membership(), *self._holdings()]
        answers = await asyncio.gather(*(_within(*each) for each in asked.items()))
        return [*known, *(each for answer in answers for each in answer)]

    def _membership(self) -> Findings:
        now = self.clock.now()
        standing = self.member.standing.value
        held = self.holdings.value
        return (
            membership.judge_server(
                self.link,
                self.address(),
                self.settings.sync_interval,
                now,
                synced=held.synced,
                locked_out=held.lockout is not None,
            ),
            membership.judge_server_clock(self.link),
            membership.judge_own_svid(standing, self.member.id, now),
        )

    def _holdings(self) -> Findings:
        now, held = self.clock.now(), self.holdings.value
        own = self.member.standing.value.svid
        return (
            holdings.judge_bundle(held.own_bundle, own, now),
            *holdings.judge_federated(held, now),
            blocks.judge_blocks(held, self.link, now),
            self._policies(now),
            holdings.judge_identities(
                held, self.subscriptions.demand(), self._signing(), self.refresh.unsigned, now
            ),
        )

    def _policies(self, now: float) -> Diagnosis:
        age, max_age = self.keeping.age(now), self.settings.ext_authz.rules_max_age
        return policies.judge_policies(self.keeping.held, self.link, age, max_age, now)

    def _signing(self) -> str:
        trouble = self.link.troubles.get(SIGNING)
        return trouble.detail if trouble is not None else ""

    async def _attestor(self, attestor: WorkloadAttestor) -> Findings:
        said = await attestor.diagnose(self.clock.monotonic() + SECONDS)
        return tuple(said)[:MOST_OF_ONE]


async def _within(check: str, asked: Awaitable[Findings]) -> Findings:
    late = (failed(check, f"it did not answer within {SECONDS + 1:g} s"),)
    bug = (failed(check, "its diagnosis failed by a bug, which the agent's log shows"),)
    what = f"the diagnosis of {check}"
    return await within(asked, SECONDS + 1, what=what, late=late, broken=bug)
