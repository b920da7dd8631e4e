"""Attempts to keep, or to get, more than one is entitled to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ca.api.grpc.peer import RemotePeer
from ca.assemble.listen import STRANGERS, _is_stranger, _key
from ca.events.happened import SYSTEM
from ca.operations.administration.administer_agents import ban_agent, evict_agent
from ca.operations.administration.administer_tokens import create_join_token
from ca.operations.following.streams import MAX_TOPIC_LENGTH, AgentStream
from ca.operations.renew_agent import renew_agent
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.convert import x509_svid_from
from finial.wire.join_proof import token_id
from finial.wire.pb import agent_pb2, entry_pb2, follow_pb2, svid_pb2
from tests.doubles.clock import settle
from tests.doubles.house import LOCAL, Agent, House, csr, entry_for, new_key, register
from tests.flows.scenes import play, refused
from tests.flows.test_server_stream import following, greeted, told

AGENT = SpiffeId.parse("spiffe://example.org/spire/agent/join_token/one")


async def replace_svid(built: House, agent: Agent) -> Any:
    """Renew and use the new SVID, so that the one the agent began with is good for nothing."""
    params = agent_pb2.AgentX509SVIDParams(csr=csr())
    answer = await agent.client.call("Agent.RenewAgent", agent_pb2.RenewAgentRequest(params=params))
    successor = await built.show(x509_svid_from(answer.svid))
    await successor.call("Entry.GetAuthorizedEntries")
    return successor


def test_a_stream_outlived_the_svid_that_opened_it(tmp_path: Path) -> None:
    """When an SVID is replaced its stream ends, in words by which an agent loses nothing."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with following(agent) as stream:
            await greeted(stream)
            await replace_svid(built, agent)
            ended = await refused(told(stream))
            assert (ended.kind, ended.reason) == (Kind.UNAVAILABLE, None)
        assert len(built.world.streams) == 0

    play(tmp_path, act)


def test_a_conversation_about_entries_outlived_its_agent(tmp_path: Path) -> None:
    """Each message of SyncAuthorizedEntries is judged anew: banned, replaced, expired."""

    async def banned(built: House, agent: Agent) -> None:
        await ban_agent(built.world, SYSTEM, agent.id)

    async def replaced(built: House, agent: Agent) -> None:
        await replace_svid(built, agent)

    async def expired(built: House, agent: Agent) -> None:
        built.clock.jump(agent.svid.not_after - built.clock.now() + 1)

    async def act(built: House) -> None:
        for what, reason in (
            (banned, Reason.AGENT_BANNED),
            (replaced, Reason.AGENT_NOT_ACTIVE),
            (expired, Reason.AGENT_EXPIRED),
        ):
            agent = await built.join()
            async with agent.client.stream("Entry.SyncAuthorizedEntries") as stream:
                await stream.send(entry_pb2.SyncAuthorizedEntriesRequest())
                await stream.receive()
                await what(built, agent)
                await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(ids=["any"]))
                assert (await refused(stream.receive())).reason is reason

    play(tmp_path, act)


def test_an_evicted_agent_came_back_by_its_spent_token(tmp_path: Path) -> None:
    """Whoever is evicted needs a new token, also with the key that spent the former one."""

    async def act(built: House) -> None:
        key = new_key()
        await create_join_token(built.world, SYSTEM, 600, text="t")
        agent = await built.attest("join_token", b"t", key)
        await evict_agent(built.world, SYSTEM, agent.id)
        assert (await refused(built.attest("join_token", b"t", key))).kind is Kind.INVALID
        assert len(built.world.known.nodes) == 0

    play(tmp_path, act)


def test_a_ban_during_a_renewal_was_passed_by(tmp_path: Path) -> None:
    """Whichever is stored first, a banned agent has no SVID that counts and is given none."""

    async def act(built: House) -> None:
        agent = await built.join()
        results = await asyncio.gather(
            ban_agent(built.world, SYSTEM, agent.id),
            renew_agent(built.world, SYSTEM, agent.id, csr()),
            return_exceptions=True,
        )
        assert isinstance(results[1], Refusal)
        assert results[1].reason is Reason.AGENT_BANNED
        node = built.world.known.nodes.get(agent.id)
        assert node is not None
        assert (node.banned, node.serial_number, node.new_serial_number) == (True, "", "")

    play(tmp_path, act)


def test_of_two_renewals_at_once_one_counts(tmp_path: Path) -> None:
    """The SVID that was stored last is the next one; the other is refused when it is used."""

    async def act(built: House) -> None:
        agent = await built.join()
        renewals = [renew_agent(built.world, SYSTEM, agent.id, csr()) for _ in range(2)]
        made = await asyncio.gather(*renewals)
        node = built.world.known.nodes.get(agent.id)
        assert node is not None
        [other] = {each.issued.serial for each in made} - {node.new_serial_number}
        stale = await built.door(RemotePeer("192.0.2.9", agent.id, other, agent.svid.not_after))
        denied = await refused(stale.call("Entry.GetAuthorizedEntries"))
        assert denied.reason is Reason.AGENT_NOT_ACTIVE
        assert await agent.client.call("Entry.GetAuthorizedEntries") is not None

    play(tmp_path, act)


def test_a_banned_agent_that_is_an_administrator_kept_administering(tmp_path: Path) -> None:
    """An agent whose ID stands in admin_ids is judged as an agent all the same."""

    async def act(built: House) -> None:
        await create_join_token(built.world, SYSTEM, 600, text="the-token-of-an-admin")
        agent = await built.attest("join_token", b"the-token-of-an-admin")
        assert (await agent.client.call("Agent.CountAgents")).count == 1
        await ban_agent(built.world, SYSTEM, agent.id)
        denied = await refused(agent.client.call("Agent.CountAgents"))
        assert denied.reason is Reason.AGENT_BANNED

    admin = f"spiffe://example.org/spire/agent/join_token/{token_id('the-token-of-an-admin')}"
    play(tmp_path, act, admin_ids=[admin])


def test_an_attestation_without_evidence_was_held_for_ever(tmp_path: Path) -> None:
    """Whoever opens AttestAgent and says nothing is told after a minute that it is over."""

    async def act(built: House) -> None:
        anyone = await built.anyone()
        async with anyone.stream("Agent.AttestAgent") as stream:
            await settle(50)
            built.clock.advance(61)
            built.server.sweep(built.clock.monotonic())
            assert (await refused(stream.receive())).kind is Kind.TIMEOUT

    play(tmp_path, act)


def test_a_chosen_token_could_be_guessed_from_its_name(tmp_path: Path) -> None:
    """Its name travels before the server is known, so a token that is chosen is long."""

    async def act(built: House) -> None:
        local = await built.local()
        for text, works in (("hunter2", False), ("x" * 15, False), ("x" * 16, True)):
            request = agent_pb2.CreateJoinTokenRequest(ttl=60, token=text)
            made = local.call("Agent.CreateJoinToken", request)
            if works:
                assert (await made).value == text
            else:
                told_no = await refused(made)
                assert (told_no.kind, text in told_no.detail) == (Kind.INVALID, False)

    play(tmp_path, act)


@pytest.mark.parametrize("version", ["1.0\x1b]0;owned\x07", "x" * 256, "1\u202e0"])
def test_an_agents_version_could_write_to_a_terminal(tmp_path: Path, version: str) -> None:
    """A version is short and printable, because administrators list it."""

    async def act(built: House) -> None:
        agent = await built.join()
        request = agent_pb2.PostStatusRequest(agent_version=version)
        assert (await refused(agent.client.call("Agent.PostStatus", request))).kind is Kind.INVALID

    play(tmp_path, act)


def test_long_topics_were_kept() -> None:
    """What an agent says it applied costs a bounded amount of memory."""
    stream = AgentStream(AGENT)
    stream.note_applied("t" * MAX_TOPIC_LENGTH, 1)
    stream.note_applied("t" * (MAX_TOPIC_LENGTH + 1), 1)
    assert list(stream.applied) == ["t" * MAX_TOPIC_LENGTH]


def test_another_agents_entry_is_not_signed(tmp_path: Path) -> None:
    """An entry's ID is no secret; what counts is whose entry it is, at the moment of signing."""

    async def act(built: House) -> None:
        mine, other, local = await built.join(), await built.join(), await built.local()
        [web] = await register(local, entry_for(mine.id, "/web"))
        params = [svid_pb2.NewX509SVIDParams(entry_id=web.id, csr=csr())]
        request = svid_pb2.BatchNewX509SVIDRequest(params=params)
        answer = await other.client.call("SVID.BatchNewX509SVID", request)
        assert [each.status.code for each in answer.results] == [5]
        token = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["db"])
        assert (await refused(other.client.call("SVID.NewJWTSVID", token))).kind is Kind.NOT_FOUND

    play(tmp_path, act)


def test_an_answer_to_another_agents_question_is_dropped(tmp_path: Path) -> None:
    """Only who was asked can answer, even to whoever knows the question's id."""

    async def act(built: House) -> None:
        asked, other = await built.join(), await built.join()
        async with following(asked) as stream, following(other) as stranger:
            await greeted(stream)
            await greeted(stranger)
            asking = asyncio.ensure_future(
                built.world.questions.ask(asked.id, "explain", b"", 30.0)
            )
            question = await told(stream)
            answer = follow_pb2.Answer(id=question.id, payload=b"forged")
            await stranger.send(follow_pb2.Up(answer=answer))
            await settle(50)
            assert not asking.done()
            await stream.send(follow_pb2.Up(answer=follow_pb2.Answer(id=question.id)))
            assert (await asking).payload == b""

    play(tmp_path, act)


def test_strangers_take_nothing_from_agents_behind_the_same_address() -> None:
    """Callers without a certificate have a room of their own, smaller; of IPv6 one a network."""
    stranger, agent = RemotePeer("192.0.2.1"), RemotePeer("192.0.2.1", AGENT, "1", 2)
    assert _key(stranger) != _key(agent)
    assert [_is_stranger(each) for each in (stranger, agent, LOCAL)] == [True, False, False]
    assert _key(RemotePeer("2001:db8::1")) == _key(RemotePeer("2001:db8::ffff"))
    assert STRANGERS.message < 512 * 1024
    assert STRANGERS.held < 16 * 1024 * 1024
