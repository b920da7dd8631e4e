"""What an agent says of itself when its operator asks whether everything is well."""

import asyncio
from collections.abc import Awaitable, Sequence

import msgspec

from agent.operations.diagnosing import Diagnosing
from agent.settings import read
from attestors.contract import Finding, NotApplicable, Process, SelectorGrammar
from finial.explain.checkup import ok
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.patience import within
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.method import method
from tests.doubles.running_agent import (
    OPERATOR,
    PATIENCE,
    RunningAgent,
    Scene,
    until,
    until_in_time,
)
from tests.flows.agent_scenes import ME, play

EVERYTHING = [
    "server",
    "clock",
    "agent SVID",
    "trust bundle",
    "identities",
    "disk",
    "audit log",
    "kernel",
    "open files",
    "attestor unix",
]


async def diagnosed(agent: RunningAgent) -> dict[str, Diagnosis]:
    """What the agent answers, by the names of the checks."""
    found = method(OPERATOR, "Diagnose")
    answer = await agent.operators.unary(found, found.request(), timeout=PATIENCE)
    listed = msgspec.json.decode(answer.document, type=list[Diagnosis])
    return {each.check: each for each in listed}


async def heard(agent: RunningAgent, played: Scene, offset: float) -> None:
    """Let a heartbeat come whose sender's clock is so much ahead."""
    clock = agent.parts.tasks.link.server_clock
    played.server.beat(int((played.clock.now() + offset) * 1000))
    await until(lambda: clock.offset is not None)


def test_an_agent_that_is_well_says_so_of_everything() -> None:
    """Each check is named, and one that is well names no remedy."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await agent.fetch()
            await heard(agent, played, 0.25)
            found = await diagnosed(agent)
            assert set(EVERYTHING) <= set(found)
            ours = [found[name] for name in ("server", "clock", *EVERYTHING[2:5], "attestor unix")]
            assert [each.health for each in ours] == [Health.OK] * 6, ours
            assert not any(each.remedy for each in ours)
            assert "differ by 0.2 s" in found["clock"].detail or "0.3 s" in found["clock"].detail
            assert "1 entry of this node, 1 SVID at hand" in found["identities"].detail

    play(act)


def test_the_server_clock_is_told_by_its_heartbeats() -> None:
    """More than ten seconds apart, by which what is issued is backdated, is a failure."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            assert (await diagnosed(agent))["clock"].detail == (
                "the server has not told its time yet"
            )
            await heard(agent, played, 37.0)
            behind = (await diagnosed(agent))["clock"]
            assert behind.health is Health.FAILED
            assert "37 s behind the server's" in behind.detail
            assert "timedatectl" in behind.remedy

    play(act)


def test_a_server_without_times_is_no_fault() -> None:
    """An older server's heartbeat, which has no time in it, is passed over."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            played.server.beat(0)
            played.server.tell_entries()
            await played.pass_time(1)
            assert agent.parts.tasks.link.server_clock.offset is None
            assert (await diagnosed(agent))["clock"].health is Health.OK

    play(act)


def test_an_agent_without_its_server_says_why_and_since_when() -> None:
    """It goes on serving, and the diagnosis says how old what it holds is."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await agent.fetch()
            await played.server.stop()
            await until(lambda: not agent.parts.is_connected())
            await until_in_time(played, lambda: agent.parts.tasks.link.fault is not None)
            found = await diagnosed(agent)
            assert found["server"].health is Health.FAILED
            assert "is away" in found["server"].detail
            assert "what is held is served" in found["server"].detail
            assert found["clock"].health is Health.WARNING
            assert found["identities"].health is Health.OK
            await played.server.start()

    play(act)


def test_a_polled_server_is_well_while_it_answers() -> None:
    """SPIRE's server has no stream of changes, which is no fault of anybody's."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            await until_in_time(played, lambda: agent.parts.tasks.link.fault is not None)
            found = (await diagnosed(agent))["server"]
            assert found.health is Health.OK, found
            assert "is polled" in found.detail

    play(act, has_stream=False)


def test_svids_that_nobody_renews_are_named() -> None:
    """While the server is away, an SVID past its half-life is one to worry about."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await agent.fetch()
            await played.server.stop()
            played.clock.jump(2400)
            found = await diagnosed(agent)
            assert found["identities"].health is Health.WARNING
            assert "/web" in found["identities"].detail
            assert found["agent SVID"].health is Health.WARNING
            assert "should have been replaced" in found["agent SVID"].detail
            await played.server.start()

    play(act)


def test_a_full_disk_of_the_audit_log_is_found() -> None:
    """What cannot be recorded is refused, so the diagnosis names the log."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            agent.records.check_room = full  # type: ignore[method-assign]
            found = (await diagnosed(agent))["audit log"]
            assert found.health is Health.FAILED
            assert "No space left" in found.detail

    def full() -> None:
        raise OSError(28, "No space left on device")

    play(act)


class Ill:
    """An attestor whose own diagnosis does what the test says."""

    grammar = SelectorGrammar("ill", ())

    def __init__(self, name: str, said: Awaitable[Sequence[Diagnosis]]) -> None:
        self.name = name
        self._said = said

    async def attest(self, process: Process, deadline: float) -> Finding:
        return NotApplicable("it is ill")

    async def diagnose(self, deadline: float) -> Sequence[Diagnosis]:
        return await self._said


def test_what_breaks_costs_only_itself() -> None:
    """An attestor whose own diagnosis raises is said to be ill, without what it raised."""

    async def broken() -> Sequence[Diagnosis]:
        raise ValueError("secret")

    async def talkative() -> Sequence[Diagnosis]:
        return [ok("attestor talkative", "it answers")] * 1000

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            ill = (Ill("broken", broken()), Ill("talkative", talkative()))
            tasks = agent.parts.tasks
            found = await Diagnosing(
                settings=read({"agent": {"data_dir": str(played.folder / "d")}}).agent,
                member=tasks.member,
                holdings=tasks.holdings,
                subscriptions=tasks.subscriptions,
                refresh=tasks.refresh,
                link=tasks.link,
                keeping=agent.parts.access.keeping,
                address=lambda: played.server.address,
                attestors=ill,
                check_audit=lambda: None,
                clock=played.clock,
            ).diagnose()
            [bug] = [each for each in found if each.check == "attestor broken"]
            assert bug.health is Health.FAILED
            assert "secret" not in bug.detail
            assert len([each for each in found if each.check == "attestor talkative"]) == 20

    play(act)


def test_what_hangs_is_not_waited_for() -> None:
    """Whoever is late is said to be late, and whoever raises is said to be broken."""

    async def hanging() -> str:
        await asyncio.Event().wait()
        return "on time"

    async def asked(waiting: Awaitable[str]) -> str:
        return await within(waiting, 0.05, what="a test", late="late", broken="broken")

    async def broken() -> str:
        raise ValueError

    async def prompt() -> str:
        return "on time"

    async def whole() -> None:
        assert await asked(hanging()) == "late"
        assert await asked(broken()) == "broken"
        assert await asked(prompt()) == "on time"

    asyncio.run(whole())


def test_an_svid_that_the_server_refuses_is_named_with_its_reason() -> None:
    """A workload that waits for it is a failure, and what the server said stands beside it."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.refuse_entries["a"] = Refusal(Kind.PRECONDITION, "entry not found")
        async with played.agent() as agent, agent.open():
            wanted = agent.parts.tasks.subscriptions
            await until(lambda: bool(wanted.demand().subscribed))
            await until(lambda: bool(agent.parts.tasks.refresh.unsigned))
            found = (await diagnosed(agent))["identities"]
            assert found.health is Health.FAILED
            assert "1 SVID: /web (" in found.detail
            assert "entry not found" in found.detail

    play(act)
