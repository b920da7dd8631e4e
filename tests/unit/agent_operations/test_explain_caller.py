"""Explaining at the agent: who is meant by a PID, and how much is explained at once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.access.denials import Denials
from agent.attestation.attempt import Caller
from agent.attestation.memory import Memory
from agent.operations.attest_caller import CallerAttestation
from agent.operations.explain_caller import MOST_WAITING, Explaining
from agent.operations.processes import running
from attestors.contract import Attested, Failed, Finding
from finial.explain.explanation import Outcome
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.attempts import NO_ENTRY, UNIX, situation
from tests.doubles.entitlements import entitlement
from tests.doubles.saying import Saying

WEB = entitlement("web", "unix:uid:1000")
FOUND = Attested((Selector("unix", "uid:1000"),))


class Desk:
    """Explanations by an attestor that finds what it was told."""

    def __init__(self, finding: Finding = FOUND) -> None:
        self.memory = Memory(lambda: "abc")
        self.situation = situation(WEB)
        attestor: Any = Saying("unix", finding)
        attestation = CallerAttestation([attestor], SystemClock(), 5.0)
        self.explaining = Explaining(
            self.memory,
            attestation,
            lambda: self.situation,
            denials=Denials(lambda: "d1"),
            rules=lambda: None,
            endpoint=Path("/run/w.sock"),
            clock=SystemClock(),
        )

    def refused(self, caller: Caller) -> None:
        now = SystemClock().now()
        self.memory.refused(caller, method="m", said=(UNIX,), reason=NO_ENTRY, now=now)


def on(desk: Desk, ask: Callable[[Explaining], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        return await ask(desk.explaining)

    return asyncio.run(whole())


def me() -> Caller:
    return running(os.getpid()).caller


def test_a_pid_that_was_given_on_has_no_past() -> None:
    """What another process of the same number was told is not this one's."""
    for other in (replace(me(), started=me().started - 1), Caller(os.getpid(), 1, 1)):
        desk = Desk()
        desk.refused(other)
        if not other.started:
            [attempt] = desk.memory.refusals(1)
            attempt.last_at = 5.0
        told = on(desk, lambda explaining: explaining.of_pid(os.getpid()))
        assert told.outcome is Outcome.WOULD_BE_SERVED
        assert told.fixes[0].what.endswith("SPIFFE_ENDPOINT_SOCKET=unix:///run/w.sock")


def test_a_served_process_is_known_by_the_time_it_started() -> None:
    """Without a start time of its own a record belongs to whoever ran already then."""
    desk = Desk()
    desk.memory.served(Caller(os.getpid(), 1, 1), "m", (UNIX,), (), SystemClock().now())
    told = on(desk, lambda explaining: explaining.of_pid(os.getpid()))
    assert told.outcome is Outcome.SERVED
    assert told.process.exe == me().exe


@pytest.mark.parametrize(("served", "is_own"), [(5.0, False), (None, True)])
def test_a_process_was_not_served_before_it_started(served: float | None, is_own: bool) -> None:
    """What was given to another process of the same number and user was not lost by this one."""
    desk, now = Desk(), SystemClock().now()
    desk.situation = situation(entitlement("web", "unix:uid:7"))
    desk.memory.served(me(), "m", (UNIX,), ("spiffe://a/b",), now if served is None else served)
    desk.refused(me())
    told = on(desk, lambda explaining: explaining.of_refusal("abc"))
    assert any("it was served as spiffe://a/b" in each for each in told.causes) is is_own


def test_one_that_would_be_served_by_now_is_told_so() -> None:
    """A refusal whose process became another is explained beside the present."""
    desk = Desk()
    now = SystemClock().now()
    other = replace(UNIX, selectors=(Selector("unix", "uid:7"),))
    desk.memory.refused(me(), method="m", said=(other,), reason=NO_ENTRY, now=now)
    for ask in (lambda e: e.of_pid(os.getpid()), lambda e: e.of_refusal(" ABC ")):
        told = on(desk, ask)
        assert told.outcome is Outcome.REFUSED
        assert told.causes[0] == "if it asked again now, it would be served"


def test_one_that_is_denied_now_would_be_refused() -> None:
    """What an attestor denies is foreseen as a refusal."""
    desk = Desk(Failed(Kind.DENIED, "another uid"))
    told = on(desk, lambda explaining: explaining.simulate(os.getpid()))
    assert told.outcome is Outcome.WOULD_BE_REFUSED
    assert told.reason.endswith("unix denies it")
    assert "another uid" in told.causes[1]


def test_one_that_ends_meanwhile_is_explained_by_its_past() -> None:
    """The process may end at any moment between two looks at it."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    desk = Desk()
    process = running(child.pid)
    desk.refused(process.caller)
    child.communicate(b"\n")
    [attempt] = desk.memory.refusals(1)
    told = on(desk, lambda explaining: explaining._beside_the_present(attempt, process))
    assert told.outcome is Outcome.REFUSED
    with pytest.raises(Refusal) as caught:
        on(desk, lambda explaining: explaining._foreseen(process))
    assert caught.value.kind is Kind.NOT_FOUND


def test_anothers_refusal_is_not_told_to_a_caller() -> None:
    """A process that had the same number, another user's or another one, leaves no reason behind."""
    desk = Desk()
    peer = KernelPeer.by_pid(os.getpid(), os.geteuid(), os.getegid())
    for other in (replace(me(), uid=12345), replace(me(), started=me().started - 1)):
        desk.refused(other)
        own = on(desk, lambda explaining: explaining.of_caller(peer))
        assert (own.reason, own.refusal) == ("", "")
    desk.refused(me())
    own = on(desk, lambda explaining: explaining.of_caller(peer))
    assert own.refusal == "abc"
    assert own.agent_id == ""
    peer.close()


def test_too_much_is_not_explained_at_once() -> None:
    """What cannot be begun soon is refused, so that nothing piles up."""
    desk = Desk()

    async def whole() -> list[Any]:
        many = (desk.explaining.simulate(os.getpid()) for _ in range(MOST_WAITING + 8))
        return await asyncio.gather(*many, return_exceptions=True)

    told = asyncio.run(whole())
    refused = [each.kind for each in told if isinstance(each, Refusal)]
    assert refused == [Kind.EXHAUSTED] * 8
    assert desk.explaining._waiting == 0
