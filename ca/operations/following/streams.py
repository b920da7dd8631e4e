"""The open streams of agents, and what waits to be told on each.

Rules: a stream holds at most one pending change a topic (a newer one takes its place and the ids
are joined), at most `MAX_QUESTIONS` questions, and one pending heartbeat; so a slow agent costs a
bounded amount of memory and never delays another. A stream ends with the refusal it was ended with,
after everything that was pending has been told.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ca.registry.selectors.fleet import Fleet
from finial.runtime.watch import Watch
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal

MAX_QUESTIONS: Final = 64
MAX_NAMED_IDS: Final = 1000
MAX_TOPICS: Final = 32
MAX_TOPIC_LENGTH: Final = 64

FURTHEST_AHEAD: Final = 100 * 365 * 24 * 3600 * 1000
"""Milliseconds that an agent may lead versions ahead of our clock.

Clocks have been wrong by decades, and an agent that is not followed is deaf until then.
"""

ENTRIES: Final = "entries"
BUNDLE: Final = "bundle"
STANDING: Final = "standing"
FEDERATION: Final = "federation"
BLOCKS: Final = "blocks"
POLICIES: Final = "policies"


@dataclass(frozen=True, slots=True)
class Changed:
    """A topic has a new version; no ids means that anything may have changed."""

    topic: str
    version: int
    ids: tuple[str, ...] = ()
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class Question:
    """Something an agent is asked; `timeout` is in seconds from now."""

    id: str
    kind: str
    payload: bytes
    timeout: float


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happened, and the server is still there."""


Notice = Changed | Question | Heartbeat
_HEARTBEAT = Heartbeat()


class AgentStream:
    """What one connected agent has yet to be told; `digests` are of its own documents by topic.

    `serial` is the serial number of the SVID that it showed, and `expires_at` its end in Unix
    seconds.
    """

    __slots__ = (
        "_beat",
        "_changes",
        "_ended",
        "_questions",
        "_refusal",
        "_waiting",
        "agent",
        "applied",
        "capabilities",
        "digests",
        "expires_at",
        "serial",
        "told",
    )

    def __init__(self, agent: SpiffeId, expires_at: float = math.inf, serial: str = "") -> None:
        self.agent = agent
        self.serial = serial
        self.expires_at = expires_at
        self.applied: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.capabilities: frozenset[str] = frozenset()
        self.digests: dict[str, bytes] = {}
        self._changes: dict[str, Changed] = {}
        self._questions: deque[Question] = deque()
        self._beat = False
        self._refusal: Refusal | None = None
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def tell(self, change: Changed) -> None:
        """Add a change; it takes the place of a pending one of its topic."""
        self.told[change.topic] = change.version
        pending = self._changes.get(change.topic)
        self._changes[change.topic] = change if pending is None else _joined(pending, change)
        self._wake()

    def ask(self, question: Question) -> None:
        """Add a question.

        Raises: Refusal of kind EXHAUSTED when too many are pending.
        """
        if len(self._questions) >= MAX_QUESTIONS:
            raise Refusal(Kind.EXHAUSTED, f"agent {self.agent} has too many unanswered questions")
        self._questions.append(question)
        self._wake()

    def beat(self) -> None:
        """Add a heartbeat, unless something else is about to be sent anyway."""
        self._beat = True
        self._wake()

    def note_applied(self, topic: str, version: int) -> None:
        """Remember what the agent says it has applied, of a bounded number of short topics."""
        if len(topic) > MAX_TOPIC_LENGTH:
            return
        if topic in self.applied or len(self.applied) < MAX_TOPICS:
            self.applied[topic] = version

    def end(self, refusal: Refusal | None = None) -> None:
        """End the stream once everything pending was told, with a refusal or in peace."""
        self._refusal = self._refusal or refusal
        self._ended = True
        self._wake()

    async def next(self) -> Notice | None:
        """Wait for what is to be told next; None means that the stream is at its end.

        Raises: Refusal: the one that the stream was ended with.
        """
        while True:
            if (notice := self._take()) is not None:
                return notice
            if self._refusal is not None:
                raise self._refusal
            if self._ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def _take(self) -> Notice | None:
        if self._changes:
            self._beat = False
            return self._changes.pop(next(iter(self._changes)))
        if self._questions:
            self._beat = False
            return self._questions.popleft()
        if self._beat:
            self._beat = False
            return _HEARTBEAT
        return None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Streams:
    """Every open stream by agent; an agent holds a few at most (an old one may not have died).

    `fleet` is what agents said they run, also those that are away; `applied` is set to a topic each
    time an agent says that a version of it has taken effect.
    """

    def __init__(self, per_agent: int) -> None:
        self._per_agent = per_agent
        self._by_agent: dict[SpiffeId, list[AgentStream]] = {}
        self._left: dict[SpiffeId, float] = {}
        self.fleet = Fleet()
        self.applied: Watch[str] = Watch("")

    def __len__(self) -> int:
        return sum(map(len, self._by_agent.values()))

    def __iter__(self) -> Iterator[AgentStream]:
        return (stream for streams in tuple(self._by_agent.values()) for stream in tuple(streams))

    @property
    def agents(self) -> Iterable[SpiffeId]:
        """The agents that hold a stream."""
        return self._by_agent.keys()

    def open(self, agent: SpiffeId, expires_at: float = math.inf, serial: str = "") -> AgentStream:
        """Add a stream; the oldest of an agent that has too many is ended."""
        streams = self._by_agent.setdefault(agent, [])
        if len(streams) >= self._per_agent:
            streams.pop(0).end(Refusal(Kind.EXHAUSTED, "the agent has opened too many streams"))
        stream = AgentStream(agent, expires_at, serial)
        streams.append(stream)
        self._left.pop(agent, None)
        return stream

    def close(self, stream: AgentStream, now: float) -> None:
        """Forget a stream that has ended; of an agent's last one it is remembered when."""
        streams = self._by_agent.get(stream.agent, [])
        if stream in streams:
            streams.remove(stream)
        if not streams and self._by_agent.pop(stream.agent, None) is not None:
            self._left[stream.agent] = now

    def left_at(self, agent: SpiffeId) -> float | None:
        """When the agent's last stream ended, in Unix seconds; None while one is open or unknown.

        A server that has just started does not know it of any agent.
        """
        return self._left.get(agent)

    def forget(self, agent: SpiffeId) -> None:
        """Forget what is remembered of an agent that is gone for good."""
        self._left.pop(agent, None)
        self.fleet.forget(agent)

    def of(self, agent: SpiffeId) -> tuple[AgentStream, ...]:
        """The streams of one agent, the newest last."""
        return tuple(self._by_agent.get(agent, ()))

    def knows(self, agent: SpiffeId, capability: str) -> bool:
        """Whether an agent said on a stream that is open that it can do that."""
        return any(capability in each.capabilities for each in self._by_agent.get(agent, ()))

    def tell(self, agent: SpiffeId, change: Changed) -> None:
        """Tell one agent of a change."""
        for stream in self._by_agent.get(agent, ()):
            stream.tell(change)

    def tell_all(self, change: Changed) -> None:
        """Tell every agent of a change."""
        for stream in self:
            stream.tell(change)

    def tell_able(self, change: Changed) -> None:
        """Tell of a change every agent that can make something of its topic."""
        for stream in self:
            if change.topic in stream.capabilities:
                stream.tell(change)

    def beat(self, part: int, parts: int, now: float) -> None:
        """Let one part of the streams beat, out of so many; end those whose SVID has expired."""
        for number, stream in enumerate(self):
            if number % parts == part:
                if now > stream.expires_at:
                    stream.end(_expired(stream.agent))
                stream.beat()

    def end_all(self, refusal: Refusal) -> None:
        """End every stream, as at shutdown."""
        for stream in self:
            stream.end(refusal)


def _expired(agent: SpiffeId) -> Refusal:
    detail = f'agent "{agent}" SVID is expired'
    return Refusal(Kind.DENIED, detail, reason=Reason.AGENT_EXPIRED)


def _joined(older: Changed, newer: Changed) -> Changed:
    if not older.ids or not newer.ids:
        return replace(newer, ids=())
    ids = tuple(dict.fromkeys(older.ids + newer.ids))
    return replace(newer, ids=ids if len(ids) <= MAX_NAMED_IDS else ())
