"""The server's questions: bounded in number, time and size."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from agent.access.traffic import Traffic
from agent.operations.answer_questions import (
    AT_ONCE,
    MAX_ANSWER,
    MOST_BYTES,
    Answering,
    answerers,
)
from agent.upstream.following import Question
from finial.explain.explanation import Explanation, Outcome, ProcessReport
from finial.spiffe.refusal import Kind, Refusal
from finial.traffic import decode
from finial.wire.status import Code

SHORT = Explanation(
    agent_id="a",
    process=ProcessReport(pid=1, uid=1, gid=1),
    outcome=Outcome.SERVED,
    first_at=1.0,
    last_at=1.0,
)
LONG = Explanation(
    agent_id="a" * MAX_ANSWER,
    process=ProcessReport(pid=1, uid=1, gid=1),
    outcome=Outcome.SERVED,
    first_at=1.0,
    last_at=1.0,
)


class Explainer:
    """Explains as it was told to."""

    def __init__(self, act: Callable[[], Awaitable[Explanation]]) -> None:
        self._act = act

    async def answer(self, question: bytes) -> Explanation:
        return await self._act()


def answered(
    act: Callable[[], Awaitable[Explanation]], *questions: Question, seconds: float = 0.2
) -> dict[str, tuple[Code, bytes]]:
    """What was sent to the server within some time, by the questions' ids."""
    sent: dict[str, tuple[Code, bytes]] = {}

    async def answer(id_: str, status: Code, payload: bytes) -> None:
        sent[id_] = (status, payload)

    async def whole() -> None:
        explaining: Any = Explainer(act)
        answering = Answering(answerers(explaining, Traffic()), answer)
        for question in questions:
            await answering.asked(question)
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=seconds)
        answering.close()

    asyncio.run(whole())
    return sent


def question(
    id_: str = "q", kind: str = "explain", seconds: float = 5.0, size: int = 2
) -> Question:
    return Question(id_, kind, b"x" * size, seconds)


async def short() -> Explanation:
    return SHORT


async def long() -> Explanation:
    return LONG


async def never() -> Explanation:
    await asyncio.Event().wait()
    raise AssertionError


async def unknown() -> Explanation:
    raise Refusal(Kind.NOT_FOUND, "no such process", remedy="look")


async def broken() -> Explanation:
    raise KeyError("a bug")


def test_an_answer_bears_the_questions_id() -> None:
    """The document travels with status 0; a refusal as its code and sentence."""
    assert answered(short, question("a")) == {"a": (Code.OK, SHORT.encoded())}
    assert answered(unknown, question("b")) == {"b": (Code.NOT_FOUND, b"no such process: look")}


def test_what_is_not_known_is_declined() -> None:
    """A kind of a later server is UNIMPLEMENTED, a question too long INVALID."""
    assert answered(short, question(kind="sing"))["q"][0] is Code.UNIMPLEMENTED
    assert answered(short, question(size=MOST_BYTES + 1))["q"][0] is Code.INVALID_ARGUMENT


def test_a_question_ends_at_its_deadline() -> None:
    """What takes too long is given up, and the stream stays."""
    assert answered(never, question(seconds=0.01))["q"][0] is Code.DEADLINE_EXCEEDED
    assert answered(never, question(seconds=0.0)) == {}


def test_a_bug_is_an_internal_error() -> None:
    """An explanation that fails costs nothing but itself."""
    assert answered(broken, question()) == {"q": (Code.INTERNAL, b"internal error")}


def test_a_document_too_large_is_not_sent() -> None:
    """What nobody would read is refused where it was made."""
    assert answered(long, question())["q"][0] is Code.RESOURCE_EXHAUSTED


def test_only_so_many_are_answered_at_once() -> None:
    """One question too many is declined at once, and the others are still answered."""
    many = [question(str(n)) for n in range(AT_ONCE + 2)]
    sent = answered(never, *many)
    assert {status for status, _ in sent.values()} == {Code.RESOURCE_EXHAUSTED}
    assert sorted(sent) == [str(AT_ONCE), str(AT_ONCE + 1)]


def test_an_answer_that_is_not_taken_harms_nobody() -> None:
    """The stream may have ended meanwhile."""

    async def refuse(*_: object) -> None:
        raise Refusal(Kind.CANCELLED, "the stream has ended")

    async def whole() -> None:
        explaining: Any = Explainer(short)
        answering = Answering(answerers(explaining, Traffic()), refuse)
        await answering.asked(question())
        [task] = answering._tasks
        await task

    asyncio.run(whole())


def test_traffic_is_told_from_where_the_server_is() -> None:
    """The question is a cursor, the answer what changed after it; nonsense is refused."""
    sent = answered(
        short, Question("t", "traffic", b"{}", 5.0), Question("n", "traffic", b"?", 5.0)
    )
    assert sent["t"][0] is Code.OK
    assert decode(sent["t"][1]).rows == ()
    assert sent["n"][0] is Code.INVALID_ARGUMENT
