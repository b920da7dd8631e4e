"""The stream by which a server of ours tells its agents what changed (`finial.agent.v1.Follow`)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from agent.upstream.servers import Servers
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Stream
from finial.wire.grpc.method import method
from finial.wire.pb import follow_pb2
from finial.wire.status import Code

PROTOCOL: Final = 1
CAPABILITIES: Final = ("entries", "bundle", "federation", "standing", "explain", "traffic")
SILENCE: Final = 20.0
_FOLLOW: Final = method(follow_pb2.DESCRIPTOR.services_by_name["Follow"], "Follow")


@dataclass(frozen=True, slots=True)
class Changed:
    """A topic has a new version; `document` is there if it is small."""

    topic: str
    version: int
    document: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """The server wants to know something and waits so many seconds for the answer."""

    id: str
    kind: str
    payload: bytes
    seconds: float


class Following:
    """One stream from its first message to its end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def hello(self, versions: Mapping[str, int], topics: Sequence[str] = ()) -> None:
        """Say what we speak, `topics` besides, and which versions we hold. Raises: Refusal."""
        message = follow_pb2.Hello(
            protocol=PROTOCOL, capabilities=(*CAPABILITIES, *topics), versions=versions
        )
        await self._stream.send(follow_pb2.Up(hello=message))

    async def applied(self, topic: str, version: int) -> None:
        """Say that a topic's version has taken effect. Raises: Refusal."""
        message = follow_pb2.Applied(topic=topic, version=version)
        await self._stream.send(follow_pb2.Up(applied=message))

    async def report(self, kind: str, payload: bytes) -> None:
        """Say something about ourselves. Raises: Refusal."""
        await self._stream.send(follow_pb2.Up(report=follow_pb2.Report(kind=kind, payload=payload)))

    async def answer(self, question: str, status: Code, payload: bytes) -> None:
        """Answer the question with that id, or decline to by the status. Raises: Refusal."""
        message = follow_pb2.Answer(id=question, status=status, payload=payload)
        await self._stream.send(follow_pb2.Up(answer=message))

    async def listen(
        self,
        told: Callable[[Changed], None],
        beat: Callable[[int], None],
        asked: Callable[[Question], Awaitable[None]],
    ) -> None:
        """Hand on every change, question and heartbeat's time until the server ends the stream.

        The server says something every five seconds; one that is silent for twenty is given up.

        Raises: Refusal, of kind UNIMPLEMENTED from a server that has no such stream.
        """
        while True:
            down = await self._next()
            match down.WhichOneof("message"):
                case "changed":
                    changed = down.changed
                    told(Changed(changed.topic, changed.version, changed.document))
                case "heartbeat":
                    beat(down.heartbeat.sent_at_ms)
                case "question":
                    asks = down.question
                    seconds = asks.deadline_ms / 1000
                    await asked(Question(asks.id, asks.kind, asks.payload, seconds))

    async def _next(self) -> follow_pb2.Down:
        try:
            async with asyncio.timeout(SILENCE):
                down: follow_pb2.Down | None = await self._stream.receive()
        except TimeoutError:
            raise Refusal(Kind.UNAVAILABLE, f"the server was silent for {SILENCE:g} s") from None
        if down is None:
            raise Refusal(Kind.UNAVAILABLE, "the server ended the stream")
        return down


def open_following(servers: Servers) -> AbstractAsyncContextManager[Stream]:
    """Prepare the stream; it begins when it is entered."""
    return servers.stream(_FOLLOW)
