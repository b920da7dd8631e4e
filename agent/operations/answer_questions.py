"""Answering what a server asks over the stream of changes, beside everything that it tells.

Each question has a task of its own and ends at its deadline, at the latest after half a minute. No
more than a few are answered at once; a question too many, or of an unknown kind, is declined.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from agent.operations.explain_caller import Explaining
from agent.upstream.following import Question
from finial.explain.explanation import MAX_DOCUMENT
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.status import Code, code_of

EXPLAIN: Final = "explain"
AT_ONCE: Final = 8
LONGEST: Final = 30.0
MOST_BYTES: Final = 4096
log = logging.getLogger("finial.agent.questions")

Answer = Callable[[str, Code, bytes], Awaitable[None]]


class Answering:
    """The questions of one stream that are being answered; `answer` sends id, status and answer."""

    def __init__(self, explaining: Explaining, answer: Answer) -> None:
        self._explaining = explaining
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def asked(self, question: Question) -> None:
        """Begin to answer, or decline. Raises: Refusal if that cannot be sent."""
        if question.kind != EXPLAIN:
            # Kinds of question come with later servers; whoever does not know one says so.
            await self._answer(question.id, Code.UNIMPLEMENTED, b"")
        elif len(self._tasks) >= AT_ONCE:
            await self._answer(question.id, Code.RESOURCE_EXHAUSTED, b"too many questions at once")
        else:
            task = asyncio.ensure_future(self._explain(question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Nobody waits for the answers any more."""
        for task in self._tasks:
            task.cancel()

    async def _explain(self, question: Question) -> None:
        try:
            await self._answer(question.id, *await self._document(question))
        except Refusal as refusal:
            log.debug("an answer was not taken: %s", refusal)

    async def _document(self, question: Question) -> tuple[Code, bytes]:
        seconds = min(question.seconds, LONGEST) if question.seconds > 0 else LONGEST
        try:
            async with asyncio.timeout(seconds):
                if len(question.payload) > MOST_BYTES:
                    raise Refusal(Kind.INVALID, "the question is too long")
                document = (await self._explaining.answer(question.payload)).encoded()
        except Refusal as refusal:
            return code_of(refusal.kind), str(refusal).encode()
        except TimeoutError:
            return Code.DEADLINE_EXCEEDED, b"the explanation took too long"
        except Exception:
            log.exception("a question could not be answered")
            return Code.INTERNAL, b"internal error"
        if len(document) > MAX_DOCUMENT:
            return Code.RESOURCE_EXHAUSTED, b"the explanation is too large to be sent"
        return Code.OK, document
