"""Questions to agents: each has an id, a deadline and at most one answer."""

import asyncio
from dataclasses import dataclass
from typing import Any

from ca.operations.following.streams import Question, Streams
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered; `status` is a gRPC code, 0 when it could answer."""

    status: int
    payload: bytes


class Questions:
    """The table of questions that wait for their answer."""

    def __init__(self, streams: Streams, clock: Clock, entropy: Entropy) -> None:
        self._streams = streams
        self._clock = clock
        self._entropy = entropy
        self._pending: dict[tuple[SpiffeId, str], asyncio.Future[Answer]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    async def ask(self, agent: SpiffeId, kind: str, payload: bytes, timeout: float) -> Answer:
        """Ask an agent over its newest stream; `timeout` is in seconds, at most a minute.

        Raises: Refusal of kind UNAVAILABLE without a stream, TIMEOUT without an answer in time,
        EXHAUSTED when the agent has too many questions waiting.
        """
        streams = self._streams.of(agent)
        if not streams:
            raise Refusal(Kind.UNAVAILABLE, f"agent {agent} is not connected")
        question = Question(self._entropy.uuid(), kind, payload, timeout)
        key = (agent, question.id)
        answer = self._pending[key] = asyncio.get_running_loop().create_future()
        try:
            streams[-1].ask(question)
            return await self._within(answer, timeout, agent)
        finally:
            del self._pending[key]

    def answer(self, agent: SpiffeId, question_id: str, answer: Answer) -> bool:
        """Hand in an answer; one that nobody waits for, or for another agent, is dropped."""
        waiting = self._pending.get((agent, question_id))
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True

    async def _within(
        self, answer: asyncio.Future[Answer], timeout: float, agent: SpiffeId
    ) -> Answer:
        alarm = asyncio.ensure_future(self._clock.sleep(timeout))
        try:
            first: set[asyncio.Future[Any]] = {answer, alarm}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
        if not answer.done():
            raise Refusal(Kind.TIMEOUT, f"agent {agent} did not answer within {timeout:g} s")
        return answer.result()
