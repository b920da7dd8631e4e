"""An administrator asks an agent why; the server adds what only it knows."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ca.api.rest.shapes import explanation as shapes
from finial.explain import explanation as values
from finial.explain.explanation import (
    AttestorReport,
    Explanation,
    Outcome,
    ProcessReport,
    decode_explanation,
)
from finial.spiffe.identity import SpiffeId
from finial.wire.pb import agent_pb2, follow_pb2
from tests.doubles.clock import NOW, settle
from tests.doubles.house import Agent, entry_for, register
from tests.unit.rest.desk import Desk, at_desk, problem

DOCUMENT = Explanation(
    agent_id="",
    process=ProcessReport(pid=7, uid=1000, gid=1000, exe="/bin/\x1b[31mweb"),
    outcome=Outcome.REFUSED,
    first_at=NOW,
    last_at=NOW,
    attestors=(AttestorReport(name="unix", status="attested", selectors=("unix:uid:1000",)),),
    elsewhere=(
        values.Elsewhere(
            entry=values.EntryReport(id="made up", spiffe_id="x"), parent_id="y", why="z"
        ),
    ),
)


def path(agent: Agent | SpiffeId) -> str:
    id_ = agent if isinstance(agent, SpiffeId) else agent.id
    return f"/v1/agents/{id_.path.removeprefix('/spire/agent/')}/explain"


async def follow(agent: Agent, *capabilities: str) -> Any:
    stream = await agent.client.stream("Follow.Follow").__aenter__()
    hello = follow_pb2.Hello(protocol=1, capabilities=capabilities)
    await stream.send(follow_pb2.Up(hello=hello))
    await settle(50)
    return stream


async def asked(stream: Any) -> Any:
    """The next question, past everything else that is told."""
    while (down := await stream.receive()).WhichOneof("message") != "question":
        pass
    return down.question


async def exchange(
    desk: Desk, stream: Any, agent: Agent, payload: bytes, status: int = 0, **subject: Any
) -> tuple[Any, httpx.Response]:
    """Ask by REST, answer as the agent, and return the question and the answer."""
    asking = asyncio.ensure_future(desk.ask("GET", path(agent), params=subject))
    question = await asked(stream)
    answer = follow_pb2.Answer(id=question.id, status=status, payload=payload)
    await stream.send(follow_pb2.Up(answer=answer))
    return question, await asking


def word(agent: Agent, **changes: Any) -> bytes:
    return msgspec.structs.replace(DOCUMENT, agent_id=str(agent.id), **changes).encoded()


@pytest.mark.parametrize(
    ("subject", "payload"),
    [
        ({"pid": 7}, b'{"pid": 7}'),
        ({"refusal": "k7"}, b'{"refusal": "k7"}'),
        ({"simulate_pid": 7}, b'{"simulate_pid": 7}'),
    ],
)
def test_an_agent_is_asked_and_completed(
    tmp_path: Path, subject: dict[str, Any], payload: bytes
) -> None:
    """The answer is the agent's, with the entries that only the server knows."""

    async def act(desk: Desk) -> None:
        agent, other = await desk.house.join(), await desk.house.join()
        theirs = entry_for(other.id, "/web", "unix:uid:1000", id="theirs")
        await register(await desk.house.local(), theirs)
        stream = await follow(agent, "explain")
        question, answer = await exchange(desk, stream, agent, word(agent), **subject)
        assert (question.kind, question.payload) == ("explain", payload)
        assert question.deadline_ms == 15_000
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        found = decode_explanation(answer.content)
        assert [each.entry.id for each in found.elsewhere] == ["theirs"]
        assert "not this agent's" in found.causes[0]
        assert shapes.ExplanationDocument.model_validate_json(answer.content)
        assert "\x1b" not in answer.text

    at_desk(tmp_path, act)


def test_an_entry_on_its_way_and_one_that_is_gone(tmp_path: Path) -> None:
    """What the agent has not applied yet, and what was deleted, are found by the server."""

    async def act(desk: Desk) -> None:
        agent, local = await desk.house.join(), await desk.house.local()
        stream = await follow(agent, "explain")
        mine = entry_for(agent.id, "/web", "unix:uid:1000", id="mine")
        [made] = await register(local, mine)
        _, answer = await exchange(desk, stream, agent, word(agent), pid=7)
        assert "it is on its way to this agent" in decode_explanation(answer.content).causes[0]
        applied = follow_pb2.Applied(topic="entries", version=desk.house.world.known.sequence)
        await stream.send(follow_pb2.Up(applied=applied))
        _, answer = await exchange(desk, stream, agent, word(agent), pid=7)
        assert "just learned of it" in decode_explanation(answer.content).causes[0]
        await desk.ask("DELETE", f"/v1/entries/{made.id}")
        desk.house.clock.advance(180)
        _, answer = await exchange(desk, stream, agent, word(agent), pid=7)
        assert "it was deleted 3 min ago" in decode_explanation(answer.content).causes[0]

    at_desk(tmp_path, act)


def test_an_agent_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    """Since when, as far as it is known; an unknown agent is not found."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()

        async def away() -> str:
            found = problem(await desk.ask("GET", path(agent), params={"pid": 7}), 503)
            assert found["type"].endswith("unavailable")
            return str(found["detail"])

        assert "has opened no stream to this server" in await away()
        stream = await follow(agent, "explain")
        await stream.end()
        await settle(50)
        desk.house.clock.advance(120)
        assert "its stream ended 2 min ago" in await away()
        desk.house.clock.advance(7200)
        assert "its SVID expired" in await away()
        id_ = agent_pb2.BanAgentRequest()
        id_.id.trust_domain, id_.id.path = "example.org", agent.id.path
        await (await desk.house.local()).call("Agent.BanAgent", id_)
        assert "it is banned" in await away()
        unknown = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/none")
        problem(await desk.ask("GET", path(unknown), params={"pid": 7}), 404)

    at_desk(tmp_path, act)


def test_an_agent_that_explains_nothing_is_not_asked(tmp_path: Path) -> None:
    """An older agent has not the capability."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        await follow(agent, "entries", "x" * 1000)
        found = problem(await desk.ask("GET", path(agent), params={"pid": 7}), 501)
        assert "older than its server" in found["detail"]

    at_desk(tmp_path, act)


@pytest.mark.parametrize(
    ("payload", "status", "code", "words"),
    [
        (b"there is no process 7\x1b[31m", 5, 404, "there is no process 7 [31m"),
        (b"\xff" * 9000, 13, 500, "�" * 9),
        (b"", 99, 500, "agent spiffe://"),
        (b"{}", 0, 500, "answered nonsense"),
        (b"x" * 600_000, 0, 500, "answered nonsense"),
        (DOCUMENT.encoded(), 0, 500, "answered for another agent"),
    ],
)
def test_what_an_agent_answers_is_not_trusted(
    tmp_path: Path, payload: bytes, status: int, code: int, words: str
) -> None:
    """A refusal is handed on as text alone; nonsense and another's explanation are refused."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        stream = await follow(agent, "explain")
        _, answer = await exchange(desk, stream, agent, payload, status, pid=7)
        found = problem(answer, code)
        assert words in found["detail"]
        assert len(found["detail"]) < 700

    at_desk(tmp_path, act)


@pytest.mark.parametrize(
    "subject",
    [
        {},
        {"pid": 7, "refusal": "x"},
        {"pid": 0},
        {"pid": "x"},
        {"simulate_pid": 2**40},
        {"refusal": ""},
        {"refusal": "x" * 65},
    ],
)
def test_a_question_is_about_exactly_one_thing(tmp_path: Path, subject: dict[str, Any]) -> None:
    """A pid, a refusal, or a pid to simulate."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        problem(await desk.ask("GET", path(agent), params=subject), 400)

    at_desk(tmp_path, act)


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (shapes.ExplanationDocument, values.Explanation),
        (shapes.ProcessDocument, values.ProcessReport),
        (shapes.AttestorDocument, values.AttestorReport),
        (shapes.ComparedEntry, values.EntryReport),
        (shapes.MissingDocument, values.MissingSelector),
        (shapes.ElsewhereDocument, values.Elsewhere),
        (shapes.FixDocument, values.Fix),
    ],
)
def test_the_description_is_what_is_sent(shape: Any, value: Any) -> None:
    """The documents that are described have the members of those that agents send."""
    assert tuple(shape.model_fields) == value.__struct_fields__
    assert [outcome.value for outcome in Outcome] == list(
        shapes.ExplanationDocument.model_fields["outcome"].annotation.__args__  # type: ignore[union-attr]
    )
