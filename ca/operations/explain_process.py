"""Why does a process get no identity? The agent is asked, and the server adds what it knows."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from ca.operations.administration.administer_agents import find_agent
from ca.operations.authorized_entries import authorized_entries
from ca.operations.follow import EXPLAIN
from ca.operations.following.questions import Answer
from ca.operations.following.streams import ENTRIES
from ca.operations.world import World
from ca.registry.nodes.node import Node
from ca.registry.whereabouts.absence import Registry
from ca.registry.whereabouts.completion import Completion, Position
from ca.registry.whereabouts.survey import Field, survey
from finial.explain.checkup import span
from finial.explain.evidence import Evidence, Said
from finial.explain.explanation import Explanation, decode_explanation
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.status import Status, parse_code, refusal_of

ANSWER_SECONDS: Final = 15.0
_LONGEST_WORDS: Final = 500
_LONGEST_REFUSAL_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be explained: a process, a refusal, or what a process would get.

    Raises: Refusal of kind INVALID unless it is exactly one.
    """

    pid: int | None = None
    refusal: str | None = None
    simulate_pid: int | None = None

    def __post_init__(self) -> None:
        if len(self._given) != 1:
            raise Refusal(
                Kind.INVALID,
                "say what to explain, by exactly one of pid, refusal and simulate_pid",
                field="pid",
            )
        if self.refusal is not None and not 0 < len(self.refusal) <= _LONGEST_REFUSAL_ID:
            raise Refusal(Kind.INVALID, "no refusal has such an id", field="refusal")

    @property
    def question(self) -> bytes:
        """The question's payload."""
        return json.dumps(self._given).encode()

    @property
    def _given(self) -> dict[str, int | str]:
        given = {
            "pid": self.pid,
            "refusal": self.refusal,
            "simulate_pid": self.simulate_pid,
        }
        return {name: value for name, value in given.items() if value is not None}


async def explain_process(world: World, agent: SpiffeId, subject: Subject) -> Explanation:
    """Have an agent explain what it answered a process, and add what only the server knows.

    Raises: Refusal of kind INVALID, NOT_FOUND; UNAVAILABLE when the agent is away; UNIMPLEMENTED
    when it explains nothing; TIMEOUT; EXHAUSTED; whatever the agent refuses.
    """
    node = find_agent(world, agent)
    _require_stream(world, node)
    answer = await world.questions.ask(agent, EXPLAIN, subject.question, ANSWER_SECONDS)
    return await _completed(world, node, _read(answer, agent))


def _require_stream(world: World, node: Node) -> None:
    streams = world.streams.of(node.id)
    if not streams:
        raise Refusal(
            Kind.UNAVAILABLE,
            f"agent {node.id} is away: {_since(world, node)}",
            remedy=_remedy(node),
        )
    if EXPLAIN not in streams[-1].capabilities:
        raise Refusal(
            Kind.UNIMPLEMENTED,
            f"agent {node.id} explains nothing: it is older than its server",
            remedy="bring the agent up to the server's version",
        )


def _remedy(node: Node) -> str:
    if node.banned:
        return f"to let it join again: finial agent evict {node.id}"
    return "on its node: finial explain; finial doctor says why it is not connected"


def _since(world: World, node: Node) -> str:
    now, left = world.clock.now(), world.streams.left_at(node.id)
    if node.banned:
        return "it is banned"
    if node.good_until <= now:
        return f"its SVID expired {span(now - node.good_until)} ago"
    if left is not None:
        return f"its stream ended {span(now - left)} ago"
    return "it has opened no stream to this server since that started (an agent of SPIRE has none)"


def _read(answer: Answer, agent: SpiffeId) -> Explanation:
    """Read an agent's answer, which is its word alone.

    Raises: Refusal.
    """
    if answer.status:
        words = answer.payload[:_LONGEST_WORDS].decode(errors="replace")
        said = "".join(each if each.isprintable() else " " for each in words).strip()
        raise refusal_of(Status(parse_code(b"%d" % answer.status), f"agent {agent}: {said}"))
    try:
        explanation = decode_explanation(answer.payload)
    except Refusal as refusal:
        raise Refusal(Kind.INTERNAL, f"agent {agent} answered nonsense: {refusal}") from None
    if explanation.agent_id != str(agent):
        raise Refusal(Kind.INTERNAL, f"agent {agent} answered for another agent")
    return explanation


async def _completed(world: World, node: Node, explanation: Explanation) -> Explanation:
    known = world.known
    entries = tuple(known.entries)
    own = frozenset(each.id for each in authorized_entries(world, node.id))
    evidence = Evidence(map(Said.of, explanation.attestors), world.vocabulary.grammars)
    applied = max((each.applied.get(ENTRIES, 0) for each in world.streams.of(node.id)), default=0)
    # With very many entries it takes a while, in which agents are not to wait.
    sightings = await asyncio.to_thread(
        survey,
        Field(entries, own, tuple(known.lately.gone())),
        evidence,
        # Of entries that an agent leaves out nobody can say that they are on their way.
        matched=own if explanation.shortened else {each.id for each in explanation.matches},
        granted={each.spiffe_id for each in explanation.matches},
    )
    versions = {each.entry.id: known.lately.version(each.entry.id) for each in sightings}
    grammars, connected = world.vocabulary.grammars, frozenset(world.streams.agents)
    registry = Registry(known.entries, known.nodes, grammars, connected)
    position = Position(node, applied, versions, world.clock.now())
    return Completion(evidence, registry, position).complete(explanation, sightings)
