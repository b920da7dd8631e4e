"""Who called whom over the REST API, collected from agents."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ca.registry.traffic.traffic_record import TrafficRecord
from finial.traffic import Row, TrafficDocument, encode
from finial.wire.pb import follow_pb2
from tests.doubles.house import Agent, entry_for, register
from tests.unit.rest.desk import AWAY, Desk, at_desk, problem
from tests.unit.rest.test_explain import asked, follow

TD = "spiffe://example.org"
ROW = Row(
    caller=f"{TD}/orders",
    callee=f"{TD}/payment",
    means="mtls",
    outcome="shadowed",
    method="POST",
    shape="/transaction/*",
    reason="no_rule",
    example="/transaction/1\x1b[2J",
    first_at=1.0,
    last_at=2.0,
    count=3,
    born=1,
)


def document(*rows: Row, turn: int = 7, more: bool = False) -> bytes:
    return encode(TrafficDocument(epoch="e", turn=turn, since=0.0, rows=rows, more=more))


async def paying(desk: Desk) -> Agent:
    """An agent that has an entry for the callee."""
    agent = await desk.house.join()
    await register(await desk.house.local(), entry_for(agent.id, "/payment", "unix:uid:1000"))
    return agent


async def reply(stream: Any, *payloads: bytes, status: int = 0) -> list[bytes]:
    """Answer the next questions, and return what was asked."""
    found = []
    for payload in payloads:
        question = await asked(stream)
        assert question.kind == "traffic"
        found.append(question.payload)
        answer = follow_pb2.Answer(id=question.id, status=status, payload=payload)
        await stream.send(follow_pb2.Up(answer=answer))
    return found


async def exchange(
    desk: Desk, stream: Any, *payloads: bytes, status: int = 0, **query: Any
) -> tuple[list[bytes], httpx.Response]:
    asking = asyncio.ensure_future(desk.ask("GET", "/v1/traffic", params={"max_age": 0, **query}))
    questions = await reply(stream, *payloads, status=status)
    answer = await asking
    assert answer.status_code == 200, answer.text
    return questions, answer


def test_agents_are_asked_for_what_is_new(tmp_path: Path) -> None:
    """Each from where it was read last, further documents at once; counts replace counts."""

    async def act(desk: Desk) -> None:
        agent = await paying(desk)
        stream = await follow(agent, "traffic")
        asked_, answer = await exchange(
            desk, stream, document(ROW, turn=5, more=True), document(turn=7), by="requests"
        )
        assert asked_ == [b'{"epoch":"","after":0}', b'{"epoch":"e","after":5}']
        [flow] = answer.json()["items"]
        assert flow == {
            "caller": ROW.caller,
            "callee": ROW.callee,
            "means": "mtls",
            "outcome": "shadowed",
            "method": "POST",
            "path": "/transaction/*",
            "reason": "no_rule",
            "example": ROW.example,
            "count": 3,
            "first_seen": "1970-01-01T00:00:01Z",
            "last_seen": "1970-01-01T00:00:02Z",
            "agents": [str(agent.id)],
        }
        more = msgspec.structs.replace(ROW, count=4)
        asked_, answer = await exchange(desk, stream, document(more, turn=9))
        assert asked_ == [b'{"epoch":"e","after":7}']
        [pair] = answer.json()["items"]
        assert (pair["count"], pair["method"], pair["path"]) == (4, None, None)
        again = await desk.ask("GET", "/v1/traffic")
        assert again.json()["items"] == [pair]

    at_desk(tmp_path, act)


def test_who_does_not_answer_is_named(tmp_path: Path) -> None:
    """What is known is shown all the same: an agent may be silent, refuse, or talk nonsense."""

    async def act(desk: Desk) -> None:
        agent, other = await paying(desk), await desk.house.join()
        stream = await follow(agent, "traffic")
        await follow(other, "explain")
        _, answer = await exchange(desk, stream, document(ROW))
        assert (answer.json()["silent"], answer.json()["unable"]) == ([], 1)
        undated = document(msgspec.structs.replace(ROW, first_at=-1e300))
        for payload, status in ((b"", 12), (b"nonsense", 0), (undated, 0)):
            _, answer = await exchange(desk, stream, payload, status=status)
            assert answer.json()["silent"] == [str(agent.id)]
            assert len(answer.json()["items"]) == 1

    at_desk(tmp_path, act)


def test_an_agent_that_is_slow_again_and_again_holds_up_nobody_for_long(tmp_path: Path) -> None:
    """It has two seconds for all that it tells; where it stopped it is asked the next time."""

    async def act(desk: Desk) -> None:
        stream = await follow(await paying(desk), "traffic")
        asking = asyncio.ensure_future(desk.ask("GET", "/v1/traffic?max_age=0"))
        question = await asked(stream)
        desk.house.clock.advance(1.5)
        answer = follow_pb2.Answer(id=question.id, payload=document(ROW, turn=1, more=True))
        await stream.send(follow_pb2.Up(answer=answer))
        await asked(stream)
        desk.house.clock.advance(0.5)
        async with asyncio.timeout(5):
            shown = (await asking).json()
        assert (shown["silent"], len(shown["items"])) == ([], 1)
        [question], _ = await exchange(desk, stream, document(turn=3))
        assert question == b'{"epoch":"e","after":1}'

    at_desk(tmp_path, act)


def test_further_pages_are_of_what_the_first_one_found(tmp_path: Path) -> None:
    """Whoever reads page by page misses nothing, and costs no more than the first."""

    async def act(desk: Desk) -> None:
        stream = await follow(await paying(desk), "traffic")
        rows = [msgspec.structs.replace(ROW, shape=f"/{name}") for name in "abc"]
        asked_for = {"by": "requests", "page_size": 1}
        _, answer = await exchange(desk, stream, document(*rows), **asked_for)
        found = answer.json()["items"]
        while token := answer.json()["next_page_token"]:
            further = {**asked_for, "max_age": 60, "page_token": token}
            answer = await desk.ask("GET", "/v1/traffic", params=further)
            found += answer.json()["items"]
            # Forgotten now, and still there for who began to read.
            desk.house.world.traffic.record = TrafficRecord()
        assert [each["path"] for each in found] == ["/a", "/b", "/c"]
        assert desk.house.world.traffic.latest == (None, ())
        again = await desk.ask("GET", "/v1/traffic", params={**asked_for, "max_age": 60})
        assert again.json()["items"] == []

    at_desk(tmp_path, act)


def test_what_is_asked_for_is_judged(tmp_path: Path) -> None:
    """Filters may be paths of this trust domain; nonsense is refused, and a scope is needed."""

    async def act(desk: Desk) -> None:
        agent = await paying(desk)
        stream = await follow(agent, "traffic")
        await exchange(desk, stream, document(ROW))

        async def found(**query: Any) -> int:
            answer = await desk.ask("GET", "/v1/traffic", params={"max_age": 60, **query})
            assert answer.status_code == 200, answer.text
            return len(answer.json()["items"])

        assert await found(caller="orders", callee="/payment") == 1
        assert await found(caller=f"{TD}/*", outcome=["denied", "shadowed"]) == 1
        assert await found(caller="-") == 0
        assert await found(means="jwt") == 0
        assert await found(agent=str(agent.id), since="1970-01-01T00:00:02Z") == 1
        assert await found(since="2030-01-01T00:00:00Z") == 0
        for query in (
            {"caller": "a*b"},
            {"agent": "x"},
            {"outcome": "won"},
            {"by": "moons"},
            {"page_token": "x"},
            {"since": "yesterday"},
            {"who": "me"},
        ):
            problem(await desk.ask("GET", "/v1/traffic", params={"max_age": 60, **query}), 400)
        lacking = await desk.token("policies:read")
        refused = await desk.ask("GET", "/v1/traffic", peer=AWAY, headers=lacking)
        assert problem(refused, 403)["value"] == "traffic:read"

    at_desk(tmp_path, act)
