"""How the k8s attestor asks the kubelet: again, together, and not for ever."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from attestors.contract import Attested, Failed, Finding, Process
from attestors.workload.k8s.attestor import MOST_FAILURES
from finial.spiffe.refusal import Kind
from tests.doubles.clock import StandingClock, settle
from tests.doubles.kubernetes import Recorded, pod_on_node, process_in, recorded
from tests.unit.attestors.kubelet_answers import AWAY, Answers, attestor

WEB = pod_on_node("web")
EMPTY = Recorded(200, {"kind": "PodList", "items": None})


async def attested(
    folder: Path, answers: Answers, clock: StandingClock, seconds: float, **changes: Any
) -> "asyncio.Task[Finding]":
    process = Process(1, 0, 0, process_in(folder, WEB.cgroup("web")))
    made = attestor(answers, clock, **changes)
    task = asyncio.create_task(made.attest(process, clock.monotonic() + seconds))
    await settle()
    return task


def test_a_new_pod_is_looked_for_again(tmp_path: Path) -> None:
    """The list is asked for once an interval until the container is in it (BW-04)."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY, AWAY, EMPTY, recorded("pods"))
        task = await attested(tmp_path, answers, clock, 10.0)
        for asked in (1, 2, 3):
            assert answers.asked == asked
            await clock.pass_time(0.5)
        assert isinstance(task.result(), Attested)

    asyncio.run(whole())


def test_a_pod_that_is_never_listed_ends_at_the_deadline(tmp_path: Path) -> None:
    """No sleep begins that would end after the deadline."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY)
        task = await attested(tmp_path, answers, clock, 1.2)
        await clock.pass_time(0.5)
        await clock.pass_time(0.5)
        finding = task.result()
        assert isinstance(finding, Failed)
        assert finding.kind is Kind.TIMEOUT
        assert "asked 3 times" in finding.detail

    asyncio.run(whole())


def test_attempts_are_counted(tmp_path: Path) -> None:
    """max_poll_attempts bounds them where the deadline does not."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY)
        task = await attested(tmp_path, answers, clock, 99.0, max_poll_attempts=2)
        await clock.pass_time(0.5)
        assert isinstance(task.result(), Failed)
        assert answers.asked == 2

    asyncio.run(whole())


def test_a_kubelet_that_is_away_is_not_tried_for_long(tmp_path: Path) -> None:
    """After a few failures the caller is told, long before the deadline."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(AWAY)
        task = await attested(tmp_path, answers, clock, 99.0)
        for _ in range(MOST_FAILURES - 1):
            await clock.pass_time(0.5)
        finding = task.result()
        assert isinstance(finding, Failed)
        assert finding.kind is Kind.UNAVAILABLE
        assert answers.asked == MOST_FAILURES

    asyncio.run(whole())


def test_a_kubelet_that_hangs_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    """The request goes on for whoever comes next."""

    async def whole() -> None:
        answers = Answers(recorded("pods"))
        answers.held.clear()
        clock = StandingClock()
        made = attestor(answers, clock)
        process = Process(1, 0, 0, process_in(tmp_path, WEB.cgroup("web")))
        late = await made.attest(process, clock.monotonic() + 0.05)
        assert isinstance(late, Failed)
        assert late.kind is Kind.TIMEOUT
        answers.held.set()
        assert isinstance(await made.attest(process, clock.monotonic() + 5), Attested)
        assert answers.asked == 1

    asyncio.run(whole())


def test_who_asks_at_the_same_time_shares_a_list(tmp_path: Path) -> None:
    """A list serves everybody for an interval, and nobody afterwards (BW-04)."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(recorded("pods"), EMPTY)
        made = attestor(answers, clock)
        process = Process(1, 0, 0, process_in(tmp_path, WEB.cgroup("web")))
        deadline = clock.monotonic() + 0.6
        both = await asyncio.gather(made.attest(process, deadline), made.attest(process, deadline))
        assert both[0] == both[1]
        assert isinstance(both[0], Attested)
        assert isinstance(both[1], Attested)
        # One tuple, so that nobody compares its selectors later.
        assert both[0].selectors is both[1].selectors
        assert answers.asked == 1
        clock.advance(0.5)
        assert isinstance(await made.attest(process, deadline), Failed)
        assert answers.asked == 2

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (recorded("pods-unauthorized"), Kind.PRECONDITION, "status 401"),
        (recorded("pods-forbidden"), Kind.PRECONDITION, "nodes/proxy"),
        (Recorded(500, ""), Kind.UNAVAILABLE, "status 500"),
        (Recorded(200, "<html>"), Kind.UNAVAILABLE, "cannot be read"),
        (Recorded(200, {"kind": "Status", "items": []}), Kind.UNAVAILABLE, "no PodList"),
        (
            Recorded(200, {"kind": "PodList", "items": [{"metadata": {}}]}),
            Kind.UNAVAILABLE,
            "cannot be read",
        ),
    ],
)
def test_a_kubelet_that_does_not_list_says_why(
    tmp_path: Path, answer: Recorded, kind: Kind, said: str
) -> None:
    """What the agent lacks is named, with the right that it needs."""

    async def whole() -> Finding:
        clock = StandingClock()
        task = await attested(tmp_path, Answers(answer), clock, 99.0)
        for _ in range(MOST_FAILURES):
            await clock.pass_time(0.5)
        return task.result()

    finding = asyncio.run(whole())
    assert isinstance(finding, Failed)
    assert finding.kind is kind
    assert said in finding.detail
