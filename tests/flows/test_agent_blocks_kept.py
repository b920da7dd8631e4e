"""What an agent knows to be blocked: when it says so, over restarts, and of itself."""

import json

import pytest

from finial.blocks import Block, BlocksDocument, SubjectKind
from finial.spiffe.refusal import Kind, Reason, Refusal
from tests.doubles.blocked import blocking
from tests.doubles.running_agent import Scene, soon, until, until_in_time
from tests.flows.agent_blocks import WEB, applied, tell, told, version
from tests.flows.agent_explanations import explained, id_of
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.test_agent_jwt import fetch, validate


def test_it_is_in_force_when_the_server_hears_that_it_is() -> None:
    """What open streams lost, and what the disk has, comes before `applied`; no time has to pass."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            before = played.clock.monotonic()
            await told(played, agent, blocking(spiffe_ids=WEB))
            assert agent.parts.tasks.enforcement.settled == 1
            stored = json.loads((played.folder / "d/private/agent/topic-blocks.json").read_text())
            assert stored["version"] == 1
            await refused(stream.receive())
            assert played.clock.monotonic() == before

    play(act)


def test_a_block_ends_in_time_without_a_server() -> None:
    """A block with an end ends by itself, also while the server is away."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            now = int(played.clock.now())
            short = Block("b2", SubjectKind.SPIFFE_ID, WEB, "a while", now, until=now + 600)
            await told(played, agent, blocking(block=short, spiffe_ids=WEB))
            assert (await refused(agent.fetch())).kind is Kind.DENIED
            await until(lambda: not agent.parts.tasks.holdings.value.svids)
            for _ in range(11):
                await played.pass_time(60)
            await agent.fetch()
            [ended] = [r for r in agent.records.named("blocks_enforced") if r["ended"]]
            assert ended["ended"] == ["b2"]

    play(act)


def test_a_restart_without_a_server_goes_on_refusing() -> None:
    """What was blocked is in force again before anybody is served."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            [token] = (await fetch(agent, "x")).svids
            await told(played, agent, blocking(7, spiffe_ids=WEB))
        await played.server.stop()
        async with played.agent(synced=False) as agent:
            assert version(agent) == 7
            assert (await refused(agent.fetch())).kind is Kind.DENIED
            assert (await refused(validate(agent, "x", token.svid))).kind is Kind.INVALID

    play(act)


@pytest.mark.parametrize("topic", ["blocks", "lockout"])
def test_a_damaged_file_lets_nobody_be_served_without_a_server(topic: str) -> None:
    """What was blocked is not known any more, so nothing else that was kept counts either."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await told(played, agent, blocking(7, spiffe_ids=WEB))
        file = played.folder / f"d/private/agent/topic-{topic}.json"
        file.write_text('{"version": 7, "content": "{')
        file.chmod(0o600)
        await played.server.stop()
        async with played.agent(synced=False) as agent:
            assert (await refused(agent.fetch())).kind is Kind.UNAVAILABLE
            await played.server.start()
            await until_in_time(played, lambda: agent.parts.tasks.holdings.value.synced)
            await told(played, agent, blocking(8, spiffe_ids=WEB))
            assert (await refused(agent.fetch())).kind is Kind.DENIED

    play(act)


def test_the_server_hears_which_version_is_held() -> None:
    """After a restart the agent says by its hello which version it holds, and that it applies it."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            assert "blocks" in played.server.hellos[-1].capabilities
            assert "blocks" not in played.server.hellos[-1].versions
            await told(played, agent, blocking(7, spiffe_ids=WEB))
        played.server.ups.clear()
        async with played.agent():
            assert played.server.hellos[-1].versions["blocks"] == 7
            await until(lambda: applied(played) == [7])

    play(act)


def test_an_older_document_is_refused() -> None:
    """Neither an older version nor one that is none takes anything back."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await told(played, agent, blocking(7, spiffe_ids=WEB))
            tell(played, BlocksDocument(version=6))
            tell(played, BlocksDocument(version=7))
            played.server.tell("blocks", 8, b"nonsense")
            await until(lambda: "blocks" in agent.parts.tasks.link.troubles)
            assert (version(agent), applied(played)) == (7, [7])
            assert (await refused(agent.fetch())).kind is Kind.DENIED
            await told(played, agent, BlocksDocument(version=9))
            assert "blocks" not in agent.parts.tasks.link.troubles

    play(act)


def test_a_server_without_blocks_has_an_agent_without_blocks() -> None:
    """Before a server that has no stream of changes, as SPIRE's, nothing is blocked or missing."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            assert list((await agent.fetch()).crl) == []
            assert version(agent) == 0

    play(act, has_stream=False)


def test_a_blocked_agent_serves_nobody_until_it_is_let_in_again() -> None:
    """Told so on its stream, it gives nothing away, over a restart, until the server answers it."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        denial = Refusal(
            Kind.DENIED,
            'agent "spiffe://example.org/spire/agent/x509pop/node" is blocked: node stolen',
            reason=Reason.AGENT_BLOCKED,
        )
        async with (
            played.agent(allow_unauthenticated_verifiers=True) as agent,
            agent.open() as stream,
        ):
            await soon(stream.receive())
            [token] = (await fetch(agent, "x")).svids
            played.server.deny = denial
            played.server.tell("standing", 1, b"blocked")
            played.server.end_streams(denial)
            assert (await refused(stream.receive())).kind is Kind.DENIED
            await until((played.folder / "d/private/agent/topic-lockout.json").exists)
            assert agent.records.named("agent_locked_out")
            assert (await refused(fetch(agent, "x"))).kind is Kind.DENIED
            assert (await refused(validate(agent, "x", token.svid))).kind is Kind.UNAVAILABLE
            assert (await refused(agent.fetch("FetchX509Bundles"))).kind is Kind.DENIED
        async with played.agent(synced=False) as agent:
            refusal = await refused(agent.fetch())
            assert "stolen" not in refusal.detail
            found = await explained(agent, refusal=id_of(refusal))
            assert any("this agent has been blocked" in each for each in found.causes)
            assert (await agent.status()).locked_out == "node stolen"
            played.server.deny = None
            await until_in_time(played, lambda: played.server.followers > 0)
            played.server.tell_entries()
            await until(lambda: bool(agent.records.named("agent_readmitted")))
            await agent.fetch()

    play(act)


def test_a_full_disk_does_not_keep_a_block_from_its_effect() -> None:
    """It is in force at once; that it would not survive is said, and mended when there is room."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            agent.records.is_full = True
            file = played.folder / "d/private/agent/topic-blocks.json"
            file.mkdir()
            tell(played, blocking(spiffe_ids=WEB))
            assert (await refused(stream.receive())).kind is Kind.DENIED
            await until(lambda: "blocks" in agent.parts.tasks.link.troubles)
            assert applied(played) == []
            file.rmdir()
            await until_in_time(played, lambda: applied(played) == [1])

    play(act)
