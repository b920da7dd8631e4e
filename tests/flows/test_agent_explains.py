"""Why a process got what it got: asked of a real agent over its sockets."""

import os
from typing import Any

from finial.explain.explanation import Explanation, Outcome, decode_explanation
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.method import method
from finial.wire.pb import introspection_pb2, operator_pb2
from tests.doubles.running_agent import HEADER, OPERATOR, PATIENCE, RunningAgent, Scene
from tests.flows.agent_scenes import ME, play, refused

INTROSPECTION = introspection_pb2.DESCRIPTOR.services_by_name["Introspection"]


async def asked(agent: RunningAgent, name: str, request: Any) -> Any:
    return await agent.operators.unary(method(OPERATOR, name), request, timeout=PATIENCE)


async def explained(agent: RunningAgent, **subject: Any) -> Explanation:
    answer = await asked(agent, "Explain", operator_pb2.ExplainRequest(**subject))
    return decode_explanation(answer.document)


async def simulated(agent: RunningAgent, pid: int) -> Explanation:
    answer = await asked(agent, "Simulate", operator_pb2.SimulateRequest(pid=pid))
    return decode_explanation(answer.document)


async def about_me(agent: RunningAgent, metadata: Any = HEADER) -> Explanation:
    found = method(INTROSPECTION, "ExplainMe")
    answer = await agent.workload.unary(found, found.request(), timeout=PATIENCE, metadata=metadata)
    return decode_explanation(answer.document)


def id_of(refusal: Refusal) -> str:
    return refusal.detail.rpartition("--refusal ")[2]


def test_a_refusal_has_an_id_under_which_it_is_explained() -> None:
    """The workload is told a short reason and an id; the operator sees what came nearest."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME, "unix:gid:4242")
        async with played.agent() as agent:
            refusal = await refused(agent.fetch())
            assert refusal.kind is Kind.DENIED
            assert refusal.detail.startswith("no identity issued: ")
            assert "web" not in refusal.detail
            found = await explained(agent, refusal=id_of(refusal))
            assert (found.outcome, found.count) == (Outcome.REFUSED, 1)
            assert found.process.pid == os.getpid()
            assert found.process.exe == os.readlink("/proc/self/exe")
            [near] = found.nearest
            [missing] = near.missing
            assert missing.wanted == "unix:gid:4242"
            assert missing.closest == f"unix:gid:{os.getegid()}"
            assert "unix:gid is" in found.causes[0]
            assert found.fixes[0].command.startswith("finial entry update web --selector unix:gid:")
            again = await refused(agent.fetch())
            assert id_of(again) == id_of(refusal)
            assert (await explained(agent, pid=os.getpid())).count == 2

    play(act)
