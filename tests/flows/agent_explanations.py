"""How a test asks an agent why."""

from typing import Any

from finial.explain.explanation import Explanation, decode_explanation
from finial.spiffe.refusal import Refusal
from finial.wire.grpc.method import method
from finial.wire.pb import introspection_pb2, operator_pb2
from tests.doubles.running_agent import HEADER, OPERATOR, PATIENCE, RunningAgent

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
