"""Makes the parts of an agent that decide who may call whom."""

from dataclasses import dataclass
from typing import Final

from agent.access.caller import Callers
from agent.access.held_policies import HeldPolicies
from agent.access.traffic import Traffic
from agent.api.ext_authz.deciding import Deciding
from agent.assemble.explaining import Attesting
from agent.cache.view import Holdings
from agent.events.journal import Journal
from agent.events.measures import Measures
from agent.operations.attest_proxy import Proxies
from agent.operations.decide_access import AccessDecisions
from agent.operations.keep_policies import PolicyKeeping
from agent.operations.link import Link
from agent.operations.record_decisions import DecisionRecords
from agent.settings import Agent
from agent.storage.topics import TopicFiles
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.runtime.reporting.metrics import Metrics
from finial.runtime.watch import Watch
from finial.spiffe.identity import SpiffeId

EPOCH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Access:
    """What decides, by which rules, and what was seen."""

    held: Watch[HeldPolicies | None]
    keeping: PolicyKeeping
    deciding: Deciding
    traffic: Traffic

    def read_into(self, metrics: Metrics, clock: Clock) -> None:
        """Have the metrics tell of the rules."""
        metrics.reading(
            "policies_version", "The version of the rules in force.", lambda: self.keeping.version
        )
        metrics.reading("traffic_rows", "Kinds of requests remembered.", lambda: len(self.traffic))
        metrics.reading("policies", "Statements in force.", self._statements)
        metrics.reading(
            "policies_age_seconds",
            "For how long no server could have sent newer rules.",
            lambda: self.keeping.age(clock.now()),
        )

    def _statements(self) -> int:
        held = self.held.value
        return 0 if held is None else len(held.rules)


def make_access(
    agent: Agent,
    attesting: Attesting,
    holdings: Watch[Holdings],
    link: Link,
    *,
    journal: Journal,
    measures: Measures,
    clock: Clock,
    entropy: Entropy,
) -> Access:
    """Make them, with the rules that were in force before the restart."""
    held, topics = attesting.held, TopicFiles(agent.storage_dir)
    keeping = PolicyKeeping(held=held, topics=topics, link=link, clock=clock)
    keeping.resume()
    traffic = Traffic(entropy.bytes(EPOCH_BYTES).hex(), clock.now())
    settings = agent.ext_authz
    decisions = AccessDecisions(
        held,
        Callers(
            [SpiffeId.parse(each) for each in settings.trusted_proxies],
            [SpiffeId.parse(each) for each in settings.trusted_envoys],
        ),
        DecisionRecords(journal, measures, traffic, attesting.denials, clock),
        clock,
        keeping.age,
        settings.rules_max_age,
    )
    proxies = Proxies(attesting.attestation, holdings, clock)
    return Access(held, keeping, Deciding(proxies, decisions, settings.caller_header), traffic)
