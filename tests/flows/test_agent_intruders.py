"""What a hostile server, or a change at the wrong moment, could do to an agent."""

import asyncio
from typing import Any

import pytest

from agent.api.listeners import MAX_HELD, OPERATORS
from agent.operations.synchronise import judge_own
from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import Scene, until, until_in_time
from tests.doubles.scripted_server import DOMAIN
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.test_agent_jwt import fetch


@pytest.mark.parametrize("kind", [Kind.NOT_FOUND, Kind.DENIED])
def test_a_kept_token_of_a_deleted_entry_was_handed_out(kind: Kind) -> None:
    """A server that is away lets a kept token serve; one that says the entry is gone does not."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            [first] = (await fetch(agent, "x")).svids
            await played.pass_time(160)
            played.server.refuse_jwt = Refusal(Kind.UNAVAILABLE, "busy")
            [kept] = (await fetch(agent, "x")).svids
            assert kept.svid == first.svid
            played.server.refuse_jwt = Refusal(kind, "entry not found or not authorized")
            told = await refused(fetch(agent, "x"))
            said = "denies it" if kind is Kind.DENIED else "not authorized"
            assert (told.kind, said in told.detail) == (Kind.UNAVAILABLE, True)

    play(act)


def test_a_token_came_after_its_entry_had_gone() -> None:
    """What a caller may have is looked at again after the server has signed."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        played.server.hold_jwt = asyncio.Event()
        async with played.agent() as agent:
            both = asyncio.ensure_future(fetch(agent, "x"))
            await until(lambda: "NewJWTSVID" in played.server.asked)
            del played.server.entries["a"]
            played.server.tell_entries()
            await until(lambda: "a" not in agent.parts.tasks.holdings.value.entitlements)
            played.server.entry("a", "/web", "unix:uid:4242")  # signed, but no longer for us
            played.server.hold_jwt.set()
            assert [each.spiffe_id for each in (await both).svids] == ["spiffe://example.org/db"]

    play(act)


def test_an_empty_bundle_locked_the_agent_out() -> None:
    """Our own bundle is replaced by a bundle of ours with authorities, or not at all."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            tasks = agent.parts.tasks
            before = tasks.holdings.value.own_bundle
            asked = played.server.asked.count("GetBundle")
            good, played.server.roots = played.server.roots, ()
            tasks.link.ask(bundles=True)
            await until(lambda: played.server.asked.count("GetBundle") > asked)
            await played.pass_time(1)
            assert tasks.holdings.value.own_bundle == before
            played.server.roots = good

    play(act)


def test_another_trust_domains_bundle_is_not_taken_for_ours() -> None:
    """Whoever is asked for our bundle and answers with another's is not believed."""
    for name in ("example.org", "evil.test"):
        with pytest.raises(Refusal) as caught:
            judge_own(Bundle(TrustDomain(name)), DOMAIN)
        assert caught.value.kind is Kind.INTERNAL


def test_one_uid_could_fill_the_agents_memory() -> None:
    """What one uid's calls hold is bounded, and the operators' socket takes few of them."""
    assert MAX_HELD <= 4 * 1024 * 1024
    assert OPERATORS.max_streams * OPERATORS.max_connections_per_key <= 512


def test_an_impostor_had_only_to_break_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """With insecure_bootstrap too, a bundle that is held and alive is the only one believed."""

    async def act(played: Scene) -> None:
        trust: dict[str, Any] = {"trust_bundle_path": None, "insecure_bootstrap": True}
        async with played.agent(**trust):
            pass
        (played.folder / "d" / "private" / "agent" / "agent.json").unlink()
        genuine = played.server.ca
        played.server.rotate_ca(SmallCa(now=played.clock.now()))
        played.server.roots = played.server.roots[1:]
        attested = len(played.server.evidence)
        async with played.agent(synced=False, **trust) as agent:
            for _ in range(5):
                await played.pass_time(10)
            assert agent.parts.member.id is None
        assert len(played.server.evidence) == attested
        # Once nothing that is held can be valid any more, the settings' word counts again.
        played.clock.jump(genuine.certificate.not_valid_after_utc.timestamp() - played.clock.now())
        played.server.rotate_ca(SmallCa(now=SystemClock().now(), lifetime=10 * 86_400))
        async with played.agent(synced=False, **trust) as agent:
            await until_in_time(played, lambda: agent.parts.member.id is not None, step=30)

    play(act)
    assert "nothing proves the first server" in caplog.text
    assert "is believed unproven" in caplog.text
