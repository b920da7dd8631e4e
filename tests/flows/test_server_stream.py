"""An agent's stream: it is told at once what changed, asked questions, and kept alive."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ca.operations.following.streams import MAX_QUESTIONS
from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.convert import spiffe_id_message
from finial.wire.grpc.client import Stream
from finial.wire.pb import agent_pb2, bundle_pb2, entry_pb2, follow_pb2, types_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.clock import settle
from tests.doubles.house import Agent, House, entry_for, register
from tests.flows.scenes import play, refused

PATIENCE = 5.0


def hello(**versions: int) -> follow_pb2.Up:
    return follow_pb2.Up(hello=follow_pb2.Hello(protocol=1, versions=versions))


@asynccontextmanager
async def following(agent: Agent, **versions: int) -> Any:
    """Open an agent's stream and say hello."""
    async with agent.client.stream("Follow.Follow") as stream:
        await stream.send(hello(**versions))
        yield stream


async def told(stream: Stream) -> Any:
    """The next thing said on the stream, of whatever kind."""
    async with asyncio.timeout(PATIENCE):
        down = await stream.receive()
    return None if down is None else getattr(down, down.WhichOneof("message"))


async def greeted(stream: Stream) -> tuple[Any, Any]:
    return await told(stream), await told(stream)


def test_a_new_stream_is_told_what_it_does_not_know(tmp_path: Path) -> None:
    """Entries are always to be synced; the bundle comes along unless its version is known."""

    async def act(built: House) -> None:
        agent = await built.join()
        bundle = built.world.known.bundle.value
        async with following(agent) as stream:
            entries, changed = await greeted(stream)
            assert (entries.topic, entries.version) == ("entries", built.world.known.sequence)
            assert (changed.topic, changed.version) == ("bundle", bundle.sequence)
            document = parse_spiffe_bundle(built.world.trust_domain, changed.document)
            assert document.x509_authorities == bundle.x509_authorities
        async with following(agent, bundle=bundle.sequence) as stream:
            assert (await told(stream)).topic == "entries"
            built.clock.advance(5)
            await settle()
            assert len(built.world.streams) == 1

    play(tmp_path, act)


def test_an_agent_is_told_of_its_entries_and_of_no_others(tmp_path: Path) -> None:
    """Created, updated, deleted: told at once, with the ids, to whom it concerns."""

    async def act(built: House) -> None:
        agent, other, local = await built.join(), await built.join(), await built.local()
        async with following(agent) as stream, following(other) as deaf:
            await greeted(stream)
            await greeted(deaf)
            [web] = await register(local, entry_for(agent.id, "/web"))
            changed = await told(stream)
            assert (changed.topic, list(changed.ids)) == ("entries", [web.id])
            below = entry_for(SpiffeId.parse("spiffe://example.org/web"), "/below")
            [child] = await register(local, below)
            assert list((await told(stream)).ids) == [child.id]
            request = entry_pb2.BatchDeleteEntryRequest(ids=[web.id])
            await local.call("Entry.BatchDeleteEntry", request)
            gone = await told(stream)
            assert list(gone.ids) == [web.id]
            assert gone.version == built.world.known.sequence
            [theirs] = await register(local, entry_for(other.id, "/theirs"))
            assert list((await told(deaf)).ids) == [theirs.id]

    play(tmp_path, act)


def test_what_piles_up_is_told_in_one_message(tmp_path: Path) -> None:
    """A pending change of a topic is joined with the next one, so that nothing grows."""

    async def act(built: House) -> None:
        agent = await built.join()
        stream = built.world.streams.open(agent.id)
        for name in ("/a", "/b"):
            await register(await built.local(), entry_for(agent.id, name))
        notice = await stream.next()
        assert len(notice.ids) == 2  # type: ignore[union-attr]

    play(tmp_path, act)


def test_an_agent_is_told_of_a_new_bundle(tmp_path: Path) -> None:
    """The document travels along."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        async with following(agent) as stream:
            await greeted(stream)
            other = SmallCa("example.org").der
            request = bundle_pb2.AppendBundleRequest(
                x509_authorities=[types_pb2.X509Certificate(asn1=other)]
            )
            await local.call("Bundle.AppendBundle", request)
            changed = await told(stream)
            bundle = parse_spiffe_bundle(built.world.trust_domain, changed.document)
            assert other in [each.der for each in bundle.x509_authorities]

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("rpc", "standing", "reason"),
    [
        ("BanAgent", b"banned", Reason.AGENT_BANNED),
        ("DeleteAgent", b"evicted", Reason.AGENT_NOT_ATTESTED),
    ],
)
def test_an_agent_is_told_of_its_end(
    tmp_path: Path, rpc: str, standing: bytes, reason: Reason
) -> None:
    """A ban or an eviction is pushed; then the stream ends with the reason (7.12)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        async with following(agent) as stream:
            await greeted(stream)
            request = getattr(agent_pb2, f"{rpc}Request")(id=spiffe_id_message(agent.id))
            await local.call(f"Agent.{rpc}", request)
            changed = await told(stream)
            assert (changed.topic, changed.document) == ("standing", standing)
            end = await refused(told(stream))
            assert (end.kind, end.reason) == (Kind.DENIED, reason)
        assert len(built.world.streams) == 0

    play(tmp_path, act)


def test_a_silent_stream_has_a_heartbeat(tmp_path: Path) -> None:
    """Within five seconds every stream is told that the server is there, and what its time is."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with following(agent) as stream:
            await greeted(stream)
            for _ in range(10):
                await built.clock.pass_time(0.5)
            beat = await told(stream)
            assert isinstance(beat, follow_pb2.Heartbeat)
            assert 0 <= built.clock.now() * 1000 - beat.sent_at_ms < 5000

    play(tmp_path, act)


def test_an_agent_answers_a_question(tmp_path: Path) -> None:
    """The answer that bears the question's id ends the wait; others are dropped."""

    async def act(built: House) -> None:
        agent, questions = await built.join(), built.world.questions
        async with following(agent) as stream:
            await greeted(stream)
            asked = asyncio.ensure_future(questions.ask(agent.id, "explain", b"who?", 3.0))
            question = await told(stream)
            assert (question.kind, question.payload) == ("explain", b"who?")
            assert question.deadline_ms == 3000
            wrong = follow_pb2.Answer(id="other", payload=b"no")
            await stream.send(follow_pb2.Up(answer=wrong))
            right = follow_pb2.Answer(id=question.id, status=0, payload=b"I am")
            await stream.send(follow_pb2.Up(answer=right))
            assert (await asked).payload == b"I am"
            assert len(questions) == 0

    play(tmp_path, act)


def test_a_question_has_a_deadline_and_needs_a_stream(tmp_path: Path) -> None:
    """No answer in time is TIMEOUT, no stream UNAVAILABLE, too many questions EXHAUSTED."""

    async def act(built: House) -> None:
        agent, questions = await built.join(), built.world.questions
        nobody = await refused(questions.ask(agent.id, "explain", b"", 3.0))
        assert nobody.kind is Kind.UNAVAILABLE
        built.world.streams.open(agent.id)
        asked = [
            asyncio.ensure_future(questions.ask(agent.id, "explain", b"", 3.0))
            for _ in range(MAX_QUESTIONS + 1)
        ]
        await settle()
        await built.clock.pass_time(4)
        results = await asyncio.gather(*asked, return_exceptions=True)
        kinds = [each.kind for each in results if isinstance(each, Refusal)]
        assert kinds == [Kind.TIMEOUT] * MAX_QUESTIONS + [Kind.EXHAUSTED]
        assert len(questions) == 0

    play(tmp_path, act)


def test_an_agent_says_what_it_applied_and_what_nobody_understands(tmp_path: Path) -> None:
    """Applied versions are noted; reports of a later agent do no harm."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with following(agent) as stream:
            await greeted(stream)
            applied = follow_pb2.Applied(topic="entries", version=7)
            await stream.send(follow_pb2.Up(applied=applied))
            await stream.send(follow_pb2.Up(report=follow_pb2.Report(kind="x", payload=b"y")))
            await stream.end()
            assert await told(stream) is None

    play(tmp_path, act)


def test_the_first_message_is_hello(tmp_path: Path) -> None:
    """Anything else ends the stream."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with agent.client.stream("Follow.Follow") as stream:
            await stream.send(follow_pb2.Up(report=follow_pb2.Report()))
            assert (await refused(told(stream))).kind is Kind.INVALID

    play(tmp_path, act)


def test_an_agent_has_few_streams(tmp_path: Path) -> None:
    """The oldest of too many ends; it may belong to a connection that died unseen."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with following(agent) as first, following(agent) as second:
            await greeted(first)
            await greeted(second)
            async with following(agent) as third:
                await greeted(third)
                assert (await refused(told(first))).kind is Kind.EXHAUSTED
                assert len(built.world.streams) == 2

    play(tmp_path, act, streams_per_agent=2)
