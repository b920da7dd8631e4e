"""Supervision: tasks are restarted with a back-off, vital ones end the program."""

import asyncio
import os
import signal
from typing import Any

import pytest

from finial.runtime.backoff import Backoff
from finial.runtime.supervision import STEADY, Supervisor
from tests.doubles.clock import StandingClock, settle
from tests.doubles.entropy import RepeatingEntropy


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [
        (0, 0.0, 1.0),
        (0, 1.0, 0.5),
        (3, 0.0, 8.0),
        (9, 0.0, 60.0),
        (10**9, 0.0, 60.0),
        (-1, 0.0, 1.0),
    ],
)
def test_a_delay_doubles_up_to_its_bound(attempt: int, chance: float, seconds: float) -> None:
    """Delays double from the first to the longest, less at most the jitter."""
    assert Backoff(1.0, 60.0, 0.5).delay(attempt, chance) == seconds


def test_a_task_that_fails_starts_again_later_each_time() -> None:
    """A failing task is started again after delays that grow, and not while it succeeds."""
    clock, starts = StandingClock(), []

    async def failing() -> None:
        starts.append(clock.monotonic() - 1_000)
        if len(starts) < 5:
            raise RuntimeError("no")

    async def whole() -> None:
        supervisor = Supervisor(clock, RepeatingEntropy(position=0.0))
        supervisor.start("failing", failing)
        await settle()
        for _ in range(40):
            await clock.pass_time(1.0)
        await supervisor.end()

    asyncio.run(whole())
    assert starts == [0, 1, 3, 7, 15]


def test_a_task_that_was_steady_starts_again_soon() -> None:
    """After a long good run the back-off begins anew."""
    clock, starts = StandingClock(), []

    async def failing() -> None:
        starts.append(clock.monotonic() - 1_000)
        if len(starts) == 3:
            await clock.sleep(STEADY)
        raise RuntimeError("no")

    async def whole() -> None:
        supervisor = Supervisor(clock, RepeatingEntropy(position=0.0))
        supervisor.start("failing", failing)
        await settle()
        for _ in range(70):
            await clock.pass_time(1.0)
        await supervisor.end()

    asyncio.run(whole())
    assert starts[:5] == [0, 1, 3, 64, 66]


def test_a_vital_task_ends_the_program() -> None:
    """What a vital task raises is raised where the program runs, after all others have ended."""
    ended = []

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("other")

    async def vital() -> None:
        raise RuntimeError("the database is gone")

    async def whole() -> None:
        supervisor = Supervisor(StandingClock(), RepeatingEntropy())
        supervisor.start("other", other)
        supervisor.start_vital("vital", vital)
        await supervisor.run()

    with pytest.raises(RuntimeError, match="database"):
        asyncio.run(whole())
    assert ended == ["other"]


def test_an_end_that_was_foreseen_is_no_line_of_the_log(caplog: Any) -> None:
    """A vital task may end the program in words of its own, without a trace of the stack."""

    async def vital() -> None:
        raise LookupError("run this and that")

    async def whole() -> None:
        supervisor = Supervisor(StandingClock(), RepeatingEntropy())
        supervisor.start_vital("vital", vital, foreseen=(LookupError,))
        await supervisor.run()

    with pytest.raises(LookupError, match="this and that"):
        asyncio.run(whole())
    assert caplog.records == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_tasks_newest_first(number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the program in order: what was started last ends first."""
    ended: list[str] = []

    async def waiting(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def whole() -> None:
        supervisor = Supervisor(StandingClock(), RepeatingEntropy())
        supervisor.start("first", lambda: waiting("first"))
        supervisor.start("second", lambda: waiting("second"))
        running = asyncio.create_task(supervisor.run())
        await settle()
        os.kill(os.getpid(), number)
        await running
        assert supervisor.stopping.is_set()

    asyncio.run(whole())
    assert ended == ["second", "first"]


def test_stop_ends_the_program() -> None:
    """`stop` does what a signal does."""

    async def whole() -> None:
        supervisor = Supervisor(StandingClock(), RepeatingEntropy())
        supervisor.stop()
        await supervisor.run()

    asyncio.run(whole())
