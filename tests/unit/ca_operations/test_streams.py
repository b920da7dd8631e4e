"""What waits to be told on an agent's stream."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ca.operations.following.streams import (
    ENTRIES,
    MAX_NAMED_IDS,
    MAX_QUESTIONS,
    MAX_TOPICS,
    AgentStream,
    Changed,
    Heartbeat,
    Question,
    Streams,
)
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal

AGENT = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/one")
OTHER = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/two")
GONE = Refusal(Kind.UNAVAILABLE, "gone")


def soon(act: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(act, 5))


def question(number: int = 1) -> Question:
    return Question(str(number), "explain", b"", 1.0)


def test_a_stream_tells_what_is_pending_in_order_of_weight() -> None:
    """Changes come before questions, and a heartbeat only where nothing else was said."""

    async def act() -> None:
        stream = AgentStream(AGENT)
        stream.beat()
        stream.ask(question())
        stream.tell(Changed(ENTRIES, 1))
        assert await stream.next() == Changed(ENTRIES, 1)
        assert await stream.next() == question()
        stream.beat()
        stream.beat()
        assert await stream.next() == Heartbeat()
        stream.end()
        assert await stream.next() is None

    soon(act())


def test_a_newer_change_takes_the_place_of_an_older_one() -> None:
    """Ids are joined; one change without ids, or too many ids, makes it a change of anything."""
    stream = AgentStream(AGENT)
    stream.tell(Changed(ENTRIES, 1, ("a",)))
    stream.tell(Changed(ENTRIES, 2, ("b", "a")))
    assert soon(stream.next()) == Changed(ENTRIES, 2, ("a", "b"))
    stream.tell(Changed(ENTRIES, 3, ("a",)))
    stream.tell(Changed(ENTRIES, 4))
    assert soon(stream.next()) == Changed(ENTRIES, 4)
    many = tuple(map(str, range(MAX_NAMED_IDS)))
    stream.tell(Changed(ENTRIES, 5, many))
    stream.tell(Changed(ENTRIES, 6, ("more",)))
    assert soon(stream.next()) == Changed(ENTRIES, 6)


def test_a_stream_that_waits_is_woken() -> None:
    """Whoever waits for news gets it as soon as there is some."""

    async def act() -> None:
        stream = AgentStream(AGENT)
        waiting = asyncio.ensure_future(stream.next())
        await asyncio.wait({waiting}, timeout=0)
        assert not waiting.done()
        stream.tell(Changed(ENTRIES, 1))
        stream.beat()
        assert await waiting == Changed(ENTRIES, 1)

    soon(act())


def test_a_stream_ends_after_everything_was_told() -> None:
    """The first refusal counts, and nothing pending is lost."""

    async def act() -> None:
        stream = AgentStream(AGENT)
        stream.tell(Changed(ENTRIES, 1))
        stream.end(GONE)
        stream.end(Refusal(Kind.DENIED, "later"))
        assert await stream.next() == Changed(ENTRIES, 1)
        with pytest.raises(Refusal) as caught:
            await stream.next()
        assert caught.value is GONE

    soon(act())


def test_an_agent_cannot_make_its_stream_grow() -> None:
    """Questions and the topics it says it has applied are bounded."""
    stream = AgentStream(AGENT)
    for number in range(MAX_QUESTIONS):
        stream.ask(question(number))
    with pytest.raises(Refusal) as caught:
        stream.ask(question())
    assert caught.value.kind is Kind.EXHAUSTED
    for number in range(2 * MAX_TOPICS):
        stream.note_applied(str(number), number)
    stream.note_applied("0", 9)
    assert len(stream.applied) == MAX_TOPICS
    assert stream.applied["0"] == 9


def test_streams_are_told_by_agent_or_all_at_once() -> None:
    """Each agent hears what concerns it; what concerns all is said to all."""
    streams = Streams(per_agent=2)
    one, two = streams.open(AGENT), streams.open(OTHER)
    streams.tell(AGENT, Changed(ENTRIES, 1))
    streams.tell_all(Changed("bundle", 2))
    assert soon(one.next()) == Changed(ENTRIES, 1)
    assert soon(one.next()) == Changed("bundle", 2)
    assert soon(two.next()) == Changed("bundle", 2)
    assert set(streams.agents) == {AGENT, OTHER}
    streams.end_all(GONE)
    for stream in (one, two):
        with pytest.raises(Refusal):
            soon(stream.next())
        streams.close(stream, 1.0)
        streams.close(stream, 1.0)
    assert len(streams) == 0
    assert streams.of(AGENT) == ()


def test_hearts_beat_part_by_part_and_expired_streams_end() -> None:
    """One timer serves all streams; an SVID that has expired ends its stream (BR-04)."""
    streams = Streams(per_agent=2)
    one, two = streams.open(AGENT), streams.open(AGENT, expires_at=100)
    streams.beat(0, 2, now=101)
    assert soon(one.next()) == Heartbeat()
    streams.beat(1, 2, now=101)
    assert soon(two.next()) == Heartbeat()
    with pytest.raises(Refusal) as caught:
        soon(two.next())
    assert caught.value.reason is Reason.AGENT_EXPIRED
