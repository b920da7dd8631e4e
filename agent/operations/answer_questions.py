"""Answering what a server asks over the stream of changes, beside everything that it tells.

Each question has a task of its own and ends at its deadline, at the latest after half a minute. No
more than a few are answered at once; a question too many, or of an unknown kind, is declined.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from agent.access.traffic import Traffic
from agent.operations.explain_caller import Explaining
from agent.upstream.following import Question
from finial.explain.explanation import MAX_DOCUMENT
from finial.spiffe.refusal import Kind, Refusal
from finial.traffic import decode_cursor, encode
from finial.traffic.document import MAX_DOCUMENT as MAX_TRAFFIC
from finial.wire.status import Code, code_of

EXPLAIN: Final = "explain"
TRAFFIC: Final = "traffic"
AT_ONCE: Final = 8
LONGEST: Final = 30.0
MOST_BYTES: Final = 4096
MAX_ANSWER: Final = max(MAX_DOCUMENT, MAX_TRAFFIC)
log = logging.getLogger("finial.agent.questions")

Answer = Callable[[str, Code, bytes], Awaitable[None]]
Answerer = Callable[[bytes], Awaitable[bytes]]
"""Makes a document of a question's payload; raises a Refusal instead."""


def answerers(explaining: Explaining, traffic: Traffic) -> Mapping[str, Answerer]:
    """What this agent can answer, by the question's kind."""

    async def explain(question: bytes) -> bytes:
        return (await explaining.answer(question)).encoded()

    async def tell(question: bytes) -> bytes:
        return encode(traffic.after(decode_cursor(question)))

    return {EXPLAIN: explain, TRAFFIC: tell}


class Answering:
    """The questions of one stream that are being answered; `answer` sends id, status and answer."""

    def __init__(self, answerers: Mapping[str, Answerer], answer: Answer) -> None:
        self._answerers = answerers
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def asked(self, question: Question) -> None:
        """Begin to answer, or decline. Raises: Refusal if that cannot be sent."""
        answerer = self._answerers.get(question.kind)
        if answerer is None:
            # Kinds of question come with later servers; whoever does not know one says so.
            await self._answer(question.id, Code.UNIMPLEMENTED, b"")
        elif len(self._tasks) >= AT_ONCE:
            await self._answer(question.id, Code.RESOURCE_EXHAUSTED, b"too many questions at once")
        else:
            task = asyncio.ensure_future(self._reply(question, answerer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Nobody waits for the answers any more."""
        for task in self._tasks:
            task.cancel()

    async def _reply(self, question: Question, answerer: Answerer) -> None:
        try:
            await self._answer(question.id, *await self._document(question, answerer))
        except Refusal as refusal:
            log.debug("an answer was not taken: %s", refusal)

    async def _document(self, question: Question, answerer: Answerer) -> tuple[Code, bytes]:
        seconds = min(question.seconds, LONGEST) if question.seconds > 0 else LONGEST
        try:
            async with asyncio.timeout(seconds):
                if len(question.payload) > MOST_BYTES:
                    raise Refusal(Kind.INVALID, "the question is too long")
                document = await answerer(question.payload)
        except Refusal as refusal:
            return code_of(refusal.kind), str(refusal).encode()
        except TimeoutError:
            return Code.DEADLINE_EXCEEDED, b"the answer took too long"
        except Exception:
            log.exception("a question could not be answered")
            return Code.INTERNAL, b"internal error"
        if len(document) > MAX_ANSWER:
            return Code.RESOURCE_EXHAUSTED, b"the answer is too large to be sent"
        return Code.OK, document
