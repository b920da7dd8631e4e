"""Who is asked: an agent on its own socket, and through the REST API its server, which knows more.

The agent knows its own entries alone. A server asks it over its stream and adds what only a server
may know. Where both can be reached both are asked; what the agent said is told in any case.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from cli.endpoint import TcpEndpoint
from cli.place import Place
from finial.explain.explanation import Explanation, decode_explanation
from finial.spiffe.refusal import Kind, Refusal

HEADER: Final = (("workload.spiffe.io", "true"),)
PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One of: the process `pid`, what it would get (`simulated`), or a `refusal`."""

    pid: int = 0
    refusal: str = ""
    simulated: bool = False

    @property
    def query(self) -> Mapping[str, object]:
        """The question as the REST API takes it."""
        if self.refusal:
            return {"refusal": self.refusal}
        return {"simulate_pid" if self.simulated else "pid": self.pid}


def ask_agent(socket: Path, asked: Asked, timeout: float) -> Explanation:
    """Ask an agent on the operators' socket.

    Raises: Refusal.
    """
    from finial.wire.pb import operator_pb2 as pb

    if asked.simulated:
        answer = _operator(socket, "Simulate", pb.SimulateRequest(pid=asked.pid), timeout)
    elif asked.refusal:
        answer = _operator(socket, "Explain", pb.ExplainRequest(refusal=asked.refusal), timeout)
    else:
        answer = _operator(socket, "Explain", pb.ExplainRequest(pid=asked.pid), timeout)
    return decode_explanation(answer.document)


def ask_refusals(socket: Path, limit: int, timeout: float) -> list[Explanation]:
    """Ask an agent for its newest refusals, the newest first.

    Raises: Refusal.
    """
    from finial.wire.pb import operator_pb2 as pb

    answer = _operator(socket, "ListRefusals", pb.ListRefusalsRequest(limit=limit), timeout)
    return [decode_explanation(each) for each in answer.documents]


def ask_about_myself(endpoint: Path | TcpEndpoint, timeout: float) -> Explanation:
    """Ask on the Workload API's socket about this very process.

    Raises: Refusal.
    """
    from finial.wire.grpc.client import TcpAddress, UnixAddress
    from finial.wire.pb import introspection_pb2

    described = introspection_pb2.DESCRIPTOR.services_by_name["Introspection"]
    if isinstance(endpoint, TcpEndpoint):
        address: Any = TcpAddress(endpoint.host, endpoint.port)
    else:
        address = UnixAddress(endpoint)
    answer = asyncio.run(_call(address, described, "ExplainMe", None, timeout))
    return decode_explanation(answer.document)


def ask_server(place: Place, agent: str, asked: Asked, timeout: float = PATIENCE) -> Explanation:
    """Have a server ask an agent, named by its SPIFFE ID or its path, and add what it knows.

    A server says after a quarter of a minute that its agent does not answer.

    Raises: Refusal.
    """
    from cli.administration import Administration
    from cli.agent_path import agent_resource

    with Administration(place, timeout) as server:
        answer = server.get(f"{agent_resource(agent)}/explain", **asked.query)
    return decode_explanation(msgspec.json.encode(answer))


def _operator(socket: Path, name: str, request: Any, timeout: float) -> Any:
    from finial.wire.grpc.client import UnixAddress
    from finial.wire.pb import operator_pb2

    described = operator_pb2.DESCRIPTOR.services_by_name["Operator"]
    return asyncio.run(_call(UnixAddress(socket), described, name, request, timeout))


async def _call(address: Any, described: Any, name: str, request: Any, timeout: float) -> Any:
    from finial.wire.grpc.client import Channel
    from finial.wire.grpc.method import method

    rpc = method(described, name)
    channel = Channel(address)
    try:
        question = rpc.request() if request is None else request
        return await channel.unary(rpc, question, timeout=timeout, metadata=HEADER)
    except Refusal as refusal:
        raise _with_remedy(refusal) from refusal
    finally:
        await channel.close()


def _with_remedy(refusal: Refusal) -> Refusal:
    if refusal.kind is Kind.UNIMPLEMENTED:
        return Refusal(
            Kind.UNIMPLEMENTED, "this agent is too old to explain itself: it has no such call"
        )
    if refusal.kind is Kind.UNAVAILABLE and not refusal.remedy:
        denied = "Permission denied" in refusal.detail
        remedy = (
            "run the command as root or as the agent's user"
            if denied
            else "see that the agent runs, such as by: finial doctor"
        )
        return Refusal(Kind.UNAVAILABLE, refusal.detail, remedy=remedy)
    return refusal
