"""What is recorded of calls that were refused."""

import logging
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from agent.api.call_records import CallRecords
from agent.api.listeners import identify
from agent.attestation.attempt import Caller
from agent.attestation.memory import Memory
from agent.events.journal import Journal
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Reason, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.entropy import RepeatingEntropy
from tests.doubles.running_agent import Records

METHOD = "/SpiffeWorkloadAPI/FetchX509SVID"


class Desk:
    """Records of calls with everything around them."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.memory = Memory(lambda: RepeatingEntropy(str(self.clock.now())).bytes(4).hex())
        self.audit = Records()
        journal = Journal(self.audit, self.clock, [])
        self.records = CallRecords(journal, self.memory, self.clock)

    def refuse(self, refusal: Refusal, pid: int = 0) -> Refusal:
        mine = os.pidfd_open(os.getpid())
        peer = KernelPeer(pid or os.getpid(), os.geteuid(), os.getegid(), mine)
        call: Any = SimpleNamespace(peer=peer, method=METHOD)
        try:
            return self.records.refused(call, refusal)
        finally:
            peer.close()


def test_a_refusal_keeps_everything_and_gets_an_id() -> None:
    """Kind, field, value, reason and remedy stay; the id stands at the end."""
    desk = Desk()
    whole = Refusal(
        Kind.UNAVAILABLE, "busy", field="f", value="v", remedy="wait", reason=Reason.UNKNOWN
    )
    told = desk.refuse(whole)
    [attempt] = desk.memory.refusals(9)
    assert (told.kind, told.field, told.value, told.reason) == (
        Kind.UNAVAILABLE,
        "f",
        "v",
        Reason.UNKNOWN,
    )
    assert str(told).startswith("busy: wait; ")
    assert str(told).endswith(f"--refusal {attempt.refusal}")


def test_a_caller_that_left_is_no_refusal() -> None:
    """Who cancelled a call was told nothing."""
    desk = Desk()
    gone = Refusal(Kind.CANCELLED, "the call has ended")
    assert desk.refuse(gone) is gone
    assert desk.memory.refusals(9) == []


def test_a_flood_of_refusals_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Each user's refusals are logged once a second, of so many users; the list has them all."""
    desk = Desk()
    with caplog.at_level(logging.INFO, "finial.agent.refusals"):
        for pid in range(2_000_000, 2_000_050):
            desk.refuse(Refusal(Kind.DENIED, "no identity issued"), pid)
        assert len(caplog.records) == 1
        for uid in range(1100):
            desk.records.unseen(Caller(0, uid, 0), "outside")
    assert len(caplog.records) == 100


def test_a_connection_from_outside_is_remembered() -> None:
    """Who has no PID here is listed with what to do about the namespace."""

    class Outside:
        def getsockopt(self, _level: int, _option: int, size: int = 0) -> bytes | int:
            return b"\0\0\0\0" + (5).to_bytes(4, "little") * 2

    desk = Desk()
    transport: Any = SimpleNamespace(get_extra_info=lambda _: Outside())
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            identify(transport, desk.records.unseen)
        assert caught.value.kind is Kind.UNAUTHENTICATED
    [attempt] = desk.memory.refusals(9)
    assert (attempt.caller, attempt.count) == (Caller(0, 5, 5), 2)
    assert "PID namespace" in attempt.reason
    assert "hostPID" in attempt.remedy


def test_one_that_ended_before_it_was_seen_is_told_otherwise() -> None:
    """A process that is gone at accept had a PID, and should have lived."""
    desk = Desk()
    desk.records.unseen(Caller(7, 5, 5), "process 7 has ended")
    [attempt] = desk.memory.refusals(9)
    assert "live" in attempt.remedy


def test_a_seen_caller_is_identified() -> None:
    """Nothing is recorded of whom the kernel knows."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    desk = Desk()
    peer = identify(
        SimpleNamespace(get_extra_info=lambda _: ours),  # type: ignore[arg-type]
        desk.records.unseen,
    )
    assert (peer.pid, desk.memory.refusals(9)) == (os.getpid(), [])
    peer.close()
    ours.close()
    theirs.close()
