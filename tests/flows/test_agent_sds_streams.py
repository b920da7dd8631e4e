"""Streams of secrets: what comes by itself, what is waited for, and how they end."""

import asyncio
import re

from finial.spiffe.refusal import Kind
from finial.wire.grpc.method import method
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest
from finial.wire.pb.status_pb2 import Status
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import Scene, soon, until
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.agent_secrets import (
    SDS,
    asking,
    both_forms,
    fetch,
    leaf,
    trusted,
)


@both_forms
def test_a_rotation_is_pushed_and_an_acknowledgement_is_not_answered(form: str) -> None:
    """A new authority and a new SVID come by themselves; what the client has does not come again."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default", "ROOTCA")
            await client.take()
            first = leaf(client.secrets["default"]).serial_number
            await client.ask(*([] if form == "DeltaSecrets" else ["default", "ROOTCA"]))
            await client.nothing()
            played.server.rotate_ca(SmallCa(now=played.clock.now()))
            played.server.tell_bundle()
            await client.take()
            assert len(trusted(client.secrets["ROOTCA"])["example.org"]) == 2
            await played.pass_time(2400)
            while leaf(client.secrets["default"]).serial_number == first:
                await client.take()

    play(act)


@both_forms
def test_a_stranger_waits_and_then_is_told_no_with_an_id(form: str) -> None:
    """A refusal is recorded at once, with an id, and told when patience ends."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", "unix:uid:4242")
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await until(lambda: bool(agent.records.named("call_refused")))
            if form == "DeltaSecrets":
                await client.take()
                assert client.removed == ["default"]
            await client.nothing()
            await played.pass_time(31)
            refusal = await client.refusal()
            assert refusal.kind is Kind.DENIED
            [record] = agent.records.named("call_refused")
            assert record["method"] == form
            found = re.search(r"finial explain --refusal (\w+)", refusal.detail)
            assert found
            assert found[1] == record["explained_as"]

    play(act)


@both_forms
def test_an_entry_that_is_made_later_arrives_on_the_open_stream(form: str) -> None:
    """An Envoy that started before its entry was made gets its identity without asking again."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await until(lambda: bool(agent.records.named("call_refused")))
            if form == "DeltaSecrets":
                await client.take()
            played.server.entry("a", "/web", ME)
            played.server.tell_entries()
            assert set(await client.take()) == {"default"}

    play(act)


@both_forms
def test_what_the_client_has_outlives_its_stream(form: str) -> None:
    """Versions are the same on another stream; who comes back in the incremental form says so."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            async with asking(agent, form) as client:
                await client.ask("default", "ROOTCA")
                await client.take()
            async with asking(agent, form) as again:
                if form == "DeltaSecrets":
                    had = client.versions
                    await again.ask("default", "ROOTCA", initial_resource_versions=had)
                    await again.nothing()
                else:
                    await again.ask("default", "ROOTCA")
                    await again.take()
                    assert again.last.version_info == client.last.version_info

    play(act)


@both_forms
def test_a_rejected_secret_is_recorded_and_not_repeated(form: str) -> None:
    """However often it is rejected: counted, one line a second, and nothing sent."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await client.take()
            names = [] if form == "DeltaSecrets" else ["default"]
            for _ in range(200):
                await client.ask(*names, error_detail=Status(code=13, message="no such\nkey"))
            await until(lambda: bool(agent.records.named("secret_rejected")))
            await client.nothing()
            [record] = agent.records.named("secret_rejected")
            assert record["names"] == ["default"]
            assert record["detail"] == "no such\\nkey"
            played.server.entry("a", "/web", ME)
            played.server.tell_entries()
            assert set(await client.take()) == {"default"}

    play(act)


@both_forms
def test_an_identity_that_is_lost_ends_the_stream_in_time(form: str) -> None:
    """The refusal is recorded when it is lost; another process's stream is another matter."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default", "ROOTCA")
            await client.take()
            del played.server.entries["a"]
            played.server.tell_entries()
            await until(lambda: len(agent.records.named("call_refused")) > 0)
            if form == "DeltaSecrets":
                await client.take()
                assert sorted(client.removed) == ["ROOTCA", "default"]
            await client.nothing()
            await played.pass_time(31)
            assert (await client.refusal()).kind is Kind.DENIED

    play(act)


@both_forms
def test_a_server_that_signs_late_is_waited_for(form: str) -> None:
    """While the SVID is being signed the stream is held, and then it is sent at once."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await client.nothing()
            played.server.hold_signing.set()
            assert set(await client.take()) == {"default"}
            assert agent.records.named("call_refused") == []

    play(act)


@both_forms
def test_a_server_that_signs_too_late_is_not_waited_for(form: str) -> None:
    """The stream ends with the reason, and Envoy asks again."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await client.nothing()
            await played.pass_time(31)
            refusal = await client.refusal()
            assert refusal.kind is Kind.UNAVAILABLE
            assert "not signed yet" in refusal.detail

    play(act)


@both_forms
def test_an_agent_that_knows_nothing_yet_is_waited_for(form: str) -> None:
    """Before the first synchronisation nobody is denied: the agent cannot tell yet."""

    async def act(played: Scene) -> None:
        await played.server.stop()
        async with played.agent(synced=False) as agent:
            async with asking(agent, form) as client:
                await client.ask("default")
                await client.nothing()
                await played.pass_time(31)
                assert (await client.refusal()).kind is Kind.UNAVAILABLE
            fetching = asyncio.ensure_future(fetch(agent, "default"))
            await until(lambda: agent.parts.listeners.gate.open_calls == 1)
            await played.pass_time(31)
            assert (await refused(fetching)).kind is Kind.UNAVAILABLE

    play(act)


def test_a_client_that_says_nothing_or_ends_is_let_go() -> None:
    """Half-closing ends the stream well, before and after the first answer; nothing is left."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            stream = agent.workload.stream(method(SDS, "StreamSecrets"))
            async with stream:
                await stream.end()
                assert await soon(stream.receive()) is None
            stream = agent.workload.stream(method(SDS, "StreamSecrets"))
            async with stream:
                await stream.send(DiscoveryRequest(resource_names=["default"]))
                await soon(stream.receive())
                await stream.end()
                assert await soon(stream.receive()) is None
            await until(lambda: agent.parts.listeners.gate.open_calls == 0)
            assert agent.parts.tasks.subscriptions.demand().subscribed == frozenset()

    play(act)
