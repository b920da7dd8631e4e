"""How blocks are written to the audit log, and counted."""

import json
from collections.abc import Iterable, Mapping

import pytest

from agent.events.happened import (
    AgentLockedOut,
    AgentReadmitted,
    BlocksEnforced,
    Caller,
    CallRefused,
    Event,
)
from agent.events.journal import Journal, render
from agent.events.measures import Measures
from finial.blocks import Block, SubjectKind
from finial.runtime.reporting.metrics import Metrics
from tests.doubles.blocked import LEAKED
from tests.doubles.clock import StandingClock
from tests.doubles.entitlements import workload_id

AGENT = workload_id("/spire/agent/x509pop/node")
ENFORCED = BlocksEnforced(5, 1, (LEAKED,), ("b0",), ("web",))
REFUSED = CallRefused(Caller(7, 1000, 100), "FetchJWTSVID", "denied", "no", "abc", "b1")


class Lines:
    def __init__(self) -> None:
        self.records: list[Mapping[str, object]] = []

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        self.records += records

    def check_room(self) -> None:
        """It is said when something is written."""


def test_what_took_effect_is_written_with_subject_and_reason() -> None:
    """Operators find in one line which blocks began and ended, and which entries are withheld."""
    [line] = json.loads(json.dumps(list(render(ENFORCED))))
    assert line["kind"] == "blocks_enforced"
    assert (line["version"], line["blocks"], line["outcome"]) == (5, 1, "done")
    assert (line["ended"], line["withheld"]) == (["b0"], ["web"])
    assert line["began"] == [
        {
            "id": "b1",
            "kind": "spiffe_id",
            "subject": "spiffe://example.org/web",
            "reason": "key leaked",
            "since": LEAKED.since,
            "until": 0,
        }
    ]


def test_a_blocked_variable_is_named_without_its_value() -> None:
    """Who reads the log learns which selector is blocked, and no value of an environment."""
    secret = Block("b2", SubjectKind.SELECTOR, "docker:env:TOKEN=s3cret", "leaked", 1)
    [line] = json.loads(json.dumps(list(render(BlocksEnforced(5, 1, (secret,), (), ())))))
    assert line["began"][0]["subject"] == "docker:env:TOKEN=(hidden)"


def test_a_document_without_news_is_not_audited() -> None:
    """A list that was signed anew, or another SVID of what is blocked already, is no act here."""
    assert list(render(BlocksEnforced(6, 1, (), (), ("web",)))) == []


@pytest.mark.parametrize(
    ("event", "kind", "outcome"),
    [
        (AgentLockedOut(AGENT, "stolen"), "agent_locked_out", "failed"),
        (AgentReadmitted(AGENT), "agent_readmitted", "done"),
        (REFUSED, "call_refused", "refused"),
    ],
)
def test_each_is_a_line_of_its_own(event: Event, kind: str, outcome: str) -> None:
    """What became of the agent itself, and each refusal with the id of its block."""
    [line] = render(event)
    assert (line["kind"], line["outcome"]) == (kind, outcome)
    assert json.dumps(line)
    assert line.get("block", "b1") == "b1"


def test_blocks_are_counted() -> None:
    """Changes, refusals by a block, and lockouts; a refusal without a block is no such."""
    metrics = Metrics("agent")
    journal = Journal(Lines(), StandingClock(), [Measures(metrics).observe])
    journal.record(ENFORCED, AgentLockedOut(AGENT, "stolen"), AgentReadmitted(AGENT), REFUSED)
    journal.record(CallRefused(REFUSED.caller, "FetchJWTSVID", "denied", "no"))
    text = metrics.exposition().decode()
    for line in (
        "blocks_changes_total 1.0",
        'blocked_total{method="FetchJWTSVID"} 1.0',
        "lockouts_total 1.0",
        'refused_total{kind="denied",method="FetchJWTSVID"} 2.0',
    ):
        assert line in text
