"""What is recorded, and what happens where it cannot be."""

import json
from collections.abc import Iterable, Mapping

import pytest

from agent.events.happened import (
    Caller,
    CallRefused,
    EntriesSynced,
    Event,
    NodeAttested,
    NodeRenewed,
    SigningFailed,
    StandingLost,
    SvidReceived,
    TokenReceived,
    WorkloadServed,
)
from agent.events.journal import Journal
from agent.events.measures import Measures
from finial.runtime.reporting.metrics import Metrics
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.entitlements import workload_id

WEB = workload_id("/web")
CALLER = Caller(7, 1000, 100)
EVERY: list[Event] = [
    NodeAttested(WEB, "ca:8081", 1, 2, True),
    NodeRenewed(WEB, "ca:8081", 1, 2),
    StandingLost(WEB, "banned"),
    EntriesSynced(3, True),
    SvidReceived(WEB, "e", 1, 2),
    TokenReceived(WEB, "e", ("a",), "k", 2),
    SigningFailed("e", "no"),
    WorkloadServed(CALLER, "FetchX509SVID", (WEB,)),
    CallRefused(CALLER, "FetchX509SVID", "denied", "no identity"),
]


class Lines:
    def __init__(self) -> None:
        self.records: list[Mapping[str, object]] = []

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        self.records += records


class FullDisk:
    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("event", EVERY)
def test_every_event_is_a_line_of_plain_values(event: Event) -> None:
    """Whatever happens can be written as one JSON object with its time and its name."""
    lines = Lines()
    Journal(lines, StandingClock()).record(event)
    assert json.loads(json.dumps(lines.records[0])) == lines.records[0]
    assert lines.records[0]["time"] == "2027-01-15T08:00:00.000Z"


def test_a_served_workload_is_recorded_with_who_and_what() -> None:
    """The audit log says which process got which identities by which method."""
    lines = Lines()
    Journal(lines, StandingClock()).record(WorkloadServed(CALLER, "FetchX509SVID", (WEB,)))
    assert lines.records == [
        {
            "time": "2027-01-15T08:00:00.000Z",
            "kind": "workload_served",
            "caller": {"pid": 7, "uid": 1000, "gid": 100},
            "method": "FetchX509SVID",
            "spiffe_ids": ["spiffe://example.org/web"],
            "outcome": "done",
        }
    ]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (EVERY[0], "done"),
        (StandingLost(WEB, "banned"), "failed"),
        (SigningFailed("e", "no"), "failed"),
        (CallRefused(CALLER, "FetchX509SVID", "denied", "no identity"), "refused"),
    ],
)
def test_every_line_says_how_it_ended(event: Event, outcome: str) -> None:
    """Each record tells whether the act was done, failed or was refused."""
    lines = Lines()
    Journal(lines, StandingClock()).record(event)
    assert lines.records[0]["outcome"] == outcome


def test_what_cannot_be_audited_is_refused() -> None:
    """An act whose record cannot be written must not happen, and nobody observes it."""
    seen: list[Event] = []
    journal = Journal(FullDisk(), StandingClock(), [seen.append])
    with pytest.raises(Refusal) as caught:
        journal.record(EVERY[0])
    assert caught.value.kind is Kind.UNAVAILABLE
    assert not seen


def test_a_comparison_without_news_is_not_audited_but_observed() -> None:
    """A quiet synchronisation is no act; it is counted all the same."""
    lines, seen = Lines(), list[Event]()
    Journal(lines, StandingClock(), [seen.append]).record(EntriesSynced(3, False))
    assert not lines.records
    assert seen


def test_every_event_is_counted() -> None:
    """Each event and each call shows in the metrics."""
    metrics = Metrics("agent")
    measures = Measures(metrics)
    journal = Journal(Lines(), StandingClock(), [measures.observe])
    for event in EVERY:
        journal.record(event)
    measures.called("/SpiffeWorkloadAPI/FetchX509SVID", 7, 0.01)
    text = metrics.exposition().decode()
    assert 'finial_agent_served_total{method="FetchX509SVID"} 1.0' in text
    assert 'finial_agent_refused_total{kind="denied",method="FetchX509SVID"} 1.0' in text
    for counter in ("attestations", "renewals", "standing_lost", "syncs", "x509_svids"):
        assert f"finial_agent_{counter}_total 1.0" in text
    for counter in ("jwt_svids", "signing_failures"):
        assert f"finial_agent_{counter}_total 1.0" in text
    assert 'finial_agent_rpc_seconds_count{code="7",' in text
