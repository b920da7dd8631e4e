"""What the agent counts."""

from agent.access.caller import Means
from agent.access.verdict import Outcome
from agent.events.measures import Measures
from finial.policy.grounds import Ground
from finial.runtime.reporting.metrics import Metrics


def test_decisions_are_counted_by_outcome_reason_and_means() -> None:
    """All three are of closed lists, so that no caller makes a new time series."""
    metrics = Metrics("agent")
    measures = Measures(metrics)
    for _ in range(3):
        measures.decided(Outcome.DENIED, Ground.NO_RULE, Means.MTLS)
    measures.decided(Outcome.ALLOWED, Ground.OPEN, Means.NONE)
    shown = metrics.exposition().decode()
    name = "finial_agent_decisions_total"
    assert f'{name}{{means="mtls",outcome="denied",reason="no_rule"}} 3.0' in shown
    assert f'{name}{{means="none",outcome="allowed",reason="open"}} 1.0' in shown
