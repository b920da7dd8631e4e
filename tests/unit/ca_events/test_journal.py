"""The journal and the figures that observe it."""

import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from ca.events.happened import (
    SYSTEM,
    Actor,
    ActorKind,
    CallRefused,
    EntryCreated,
    EntryDeleted,
    Event,
    Minted,
    SvidsIssued,
)
from ca.events.journal import Journal
from ca.events.measures import MAX_CALLS, Measures
from ca.registry.issued import SvidKind
from finial.runtime.reporting.audit import AuditLog
from finial.runtime.reporting.journal import MAX_REMEMBERED
from finial.runtime.reporting.metrics import Metrics
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.datastore import entry, svid


class FullDisk:
    """An audit log that cannot be written."""

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        raise OSError(28, "No space left on device")

    def check_room(self) -> None:
        raise OSError(28, "No space left on device")


class Remembering:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


class CountingStream(io.StringIO):
    """A stream that counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_act_is_one_write_and_told_to_all() -> None:
    """The records of one act are written at once, with their time, before observers hear of it."""
    stream, observer = CountingStream(), Remembering()
    journal = Journal(AuditLog(stream=stream), StandingClock(1_700_000_000.25), [observer.observe])
    issued = SvidsIssued(SYSTEM, [svid(str(n)) for n in range(50)])
    created = EntryCreated(SYSTEM, entry("web"))
    journal.record(issued, created)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert stream.writes == 1
    assert len(lines) == 51
    assert {line["time"] for line in lines} == {"2023-11-14T22:13:20.250Z"}
    assert observer.seen == [issued, created]


def test_nothing_is_written_of_nothing() -> None:
    """An act in which nothing happened leaves no line."""
    stream = CountingStream()
    Journal(AuditLog(stream=stream), StandingClock()).record()
    assert stream.writes == 0


def test_act_that_cannot_be_audited_is_refused() -> None:
    """When the audit log cannot be written the act is refused and no observer hears of it."""
    observer = Remembering()
    journal = Journal(FullDisk(), StandingClock(), [observer.observe])
    with pytest.raises(Refusal) as refused:
        journal.record(EntryDeleted(SYSTEM, "web"))
    assert refused.value.kind is Kind.UNAVAILABLE
    assert observer.seen == []


def refused(port: int, method: str, kind: ActorKind = ActorKind.NOBODY) -> CallRefused:
    return CallRefused(Actor(kind, address=f"10.0.0.1:{port}"), method, Refusal(Kind.DENIED, "no"))


def test_refusals_cannot_fill_the_disk() -> None:
    """The refusals of one unknown caller are one line a second that says how many it stands for."""
    stream, observer, clock = CountingStream(), Remembering(), StandingClock()
    journal = Journal(AuditLog(stream=stream), clock, [observer.observe])
    for port in range(5):
        journal.record(refused(port, f"/made/up{port}"))
    clock.advance(1)
    journal.record(refused(6, "/x"))
    clock.advance(1)
    journal.record(refused(7, "/x"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("repeated") for line in lines] == [None, 4, None]
    assert len(observer.seen) == 7


def test_a_crowd_of_unknown_callers_cannot_either() -> None:
    """The first hundred of a second have a line each, and all others share one that counts them."""
    stream, clock = CountingStream(), StandingClock()
    journal = Journal(AuditLog(stream=stream), clock)
    strangers = [Actor(ActorKind.NOBODY, address=f"10.{n}.0.1:1") for n in range(200)]
    for who in (*strangers, *strangers):
        journal.record(CallRefused(who, "/a", Refusal(Kind.DENIED, "no")))
    known = refused(1, "/a", ActorKind.AGENT)
    journal.record(known)
    assert len(stream.getvalue().splitlines()) == 102
    clock.advance(1)
    for who in strangers:
        journal.record(CallRefused(who, "/a", Refusal(Kind.DENIED, "no")))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()[102:]]
    assert sorted({line.get("repeated") for line in lines}) == [1, 199]
    assert len(lines) == 101


def test_different_refusals_are_told_apart() -> None:
    """What a known caller was refused is told method by method, and callers are told apart."""
    stream = CountingStream()
    journal = Journal(AuditLog(stream=stream), StandingClock())
    for method in ("/a", "/b", "/a"):
        journal.record(refused(1, method, ActorKind.AGENT))
    journal.record(refused(1, "/a", ActorKind.ADMIN))
    assert len(stream.getvalue().splitlines()) == 3


def test_only_so_many_refusals_are_remembered() -> None:
    """Callers without end are forgotten one by one, the oldest first."""
    stream = CountingStream()
    journal = Journal(AuditLog(stream=stream), StandingClock())
    for method in range(MAX_REMEMBERED + 1):
        journal.record(refused(1, str(method), ActorKind.AGENT))
    stream.truncate(0)
    stream.seek(0)
    journal.record(refused(1, str(MAX_REMEMBERED), ActorKind.AGENT))
    assert stream.getvalue() == ""
    journal.record(refused(1, "0", ActorKind.AGENT))
    assert stream.getvalue() != ""


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x07", "\x9b31m", "a\nb\r", "\x7f\x08", "\u202egnp.exe", "\u2028", "\udcff"]
)
def test_terminal_escapes_are_neutralised(tmp_path: Path, text: str) -> None:
    """Whatever a caller puts into a name, a line of the log is plain ASCII and reads back."""
    with AuditLog(tmp_path / "audit.log") as log:
        Journal(log, StandingClock()).record(EntryDeleted(SYSTEM, text))
    written = (tmp_path / "audit.log").read_bytes()
    assert re.fullmatch(rb"[\x20-\x7e]+\n", written)
    assert json.loads(written)["entry_id"] == text


def figures(metrics: Metrics) -> dict[str, float]:
    lines = metrics.exposition().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        if name.startswith("finial_ca_") and "_created" not in name.split("{")[0]
    }


def test_events_are_counted() -> None:
    """Events are counted by kind and outcome, SVIDs by their kind, refusals by method."""
    metrics = Metrics("ca")
    measures = Measures(metrics)
    for event in (
        EntryCreated(SYSTEM, entry("web")),
        SvidsIssued(SYSTEM, [svid("1"), svid("2"), svid("3", kind=SvidKind.JWT)]),
        Minted(SYSTEM, svid("4")),
        CallRefused(SYSTEM, "/a/b", Refusal(Kind.DENIED, "no")),
    ):
        measures.observe(event)
    found = figures(metrics)
    assert found['finial_ca_events_total{kind="entry_created",outcome="done"}'] == 1
    assert found['finial_ca_events_total{kind="call_refused",outcome="refused"}'] == 1
    assert found['finial_ca_svids_issued_total{svid="x509"}'] == 3
    assert found['finial_ca_svids_issued_total{svid="jwt"}'] == 1
    assert found['finial_ca_refusals_total{kind="denied"}'] == 1


def test_calls_are_timed() -> None:
    """The time a call took is counted by method and status."""
    metrics = Metrics("ca")
    measures = Measures(metrics)
    measures.called("/a/b", "OK", 0.5)
    measures.called("/a/b", "OK", 0.25)
    found = figures(metrics)
    assert found['finial_ca_call_seconds_count{code="OK",method="/a/b"}'] == 2
    assert found['finial_ca_call_seconds_sum{code="OK",method="/a/b"}'] == 0.75


def test_made_up_methods_make_no_end_of_figures() -> None:
    """A caller who makes up method after method fills neither the memory nor the metrics."""
    metrics = Metrics("ca")
    measures = Measures(metrics)
    for number in range(MAX_CALLS + 500):
        measures.called(f"/made/up{number}", "UNIMPLEMENTED", 0.001)
    measures.called("/made/up1", "UNIMPLEMENTED", 0.001)
    found = figures(metrics)
    counts = [name for name in found if name.startswith("finial_ca_call_seconds_count")]
    assert len(counts) == MAX_CALLS + 1
    assert found['finial_ca_call_seconds_count{code="other",method="other"}'] == 500
    assert found['finial_ca_call_seconds_count{code="UNIMPLEMENTED",method="/made/up1"}'] == 2


@pytest.mark.parametrize(
    ("one", "other", "lines"),
    [
        ("10.0.0.1", "10.0.0.2", 2),
        ("10.0.0.1", "10.0.0.1:5", 1),
        ("2001:db8::1", "[2001:db8::2]:77", 1),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", 2),
    ],
)
def test_refusals_of_one_stranger_hid_those_of_others(one: str, other: str, lines: int) -> None:
    """Unknown callers are told apart by address, with and without port; of IPv6 by network."""
    stream = CountingStream()
    journal = Journal(AuditLog(stream=stream), StandingClock())
    for address in (one, other):
        actor = Actor(ActorKind.NOBODY, address=address)
        journal.record(CallRefused(actor, "/a", Refusal(Kind.DENIED, "no")))
    assert len(stream.getvalue().splitlines()) == lines
