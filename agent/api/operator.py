"""What the person who operates this node may ask the agent: `finial.operator.v1.Operator`.

Everybody on the node may ask whether the agent works; root and the agent's own uid get everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.api.privilege import is_operator, judge_operator
from agent.cache.jwt_svids import JwtSvids
from agent.cache.view import Holdings
from agent.operations.diagnosing import Diagnosing
from agent.operations.explain_caller import Explaining
from agent.operations.link import Link
from agent.operations.member import Member
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import operator_pb2


@dataclass(frozen=True, slots=True)
class Operated:
    """What the status is about."""

    member: Member
    holdings: Watch[Holdings]
    tokens: JwtSvids
    link: Link
    address: Callable[[], str]
    streams: Callable[[], int]
    version: str
    diagnosing: Diagnosing
    explaining: Explaining
    clock: Clock


def operator(operated: Operated) -> Service:
    """Serve the operators' API."""

    def get_status(call: Call[KernelPeer], _: Any) -> operator_pb2.Status:
        if is_operator(call.peer):
            return _everything(operated)
        return _public(operated)

    async def diagnose(call: Call[KernelPeer], _: Any) -> operator_pb2.Diagnoses:
        judge_operator(call.peer)
        found = await operated.diagnosing.diagnose()
        return operator_pb2.Diagnoses(document=msgspec.json.encode(found))

    async def explain(
        call: Call[KernelPeer], request: operator_pb2.ExplainRequest
    ) -> operator_pb2.Explanation:
        judge_operator(call.peer)
        match request.WhichOneof("subject"):
            case "pid":
                explanation = await operated.explaining.of_pid(request.pid)
            case "refusal":
                explanation = await operated.explaining.of_refusal(request.refusal)
            case _:
                raise Refusal(Kind.INVALID, "name a process or a refusal", field="subject")
        return operator_pb2.Explanation(document=explanation.encoded())

    async def simulate(
        call: Call[KernelPeer], request: operator_pb2.SimulateRequest
    ) -> operator_pb2.Explanation:
        judge_operator(call.peer)
        explanation = await operated.explaining.simulate(request.pid)
        return operator_pb2.Explanation(document=explanation.encoded())

    def list_refusals(
        call: Call[KernelPeer], request: operator_pb2.ListRefusalsRequest
    ) -> operator_pb2.Refusals:
        judge_operator(call.peer)
        found = operated.explaining.refusals(request.limit)
        return operator_pb2.Refusals(documents=[each.encoded() for each in found])

    descriptor = operator_pb2.DESCRIPTOR.services_by_name["Operator"]
    handlers: dict[str, Callable[..., Any]] = {
        "GetStatus": get_status,
        "Diagnose": diagnose,
        "Explain": explain,
        "Simulate": simulate,
        "ListRefusals": list_refusals,
    }
    return service(descriptor, handlers)


def _public(operated: Operated) -> operator_pb2.Status:
    return operator_pb2.Status(
        trust_domain=operated.holdings.value.trust_domain.name,
        connected=_is_connected(operated),
        version=operated.version,
        synced=operated.holdings.value.synced,
    )


def _everything(operated: Operated) -> operator_pb2.Status:
    status = _public(operated)
    holdings, svid = operated.holdings.value, operated.member.standing.value.svid
    status.agent_id = str(operated.member.id or "")
    if svid is not None:
        status.svid_expires_at = svid.expires_at
        status.svid_serial = str(svid.serial)
    status.server_address = operated.address()
    status.last_sync = int(operated.link.last_sync)
    status.entries = len(holdings.entitlements)
    status.x509_svids = len(holdings.svids)
    status.jwt_svids = len(operated.tokens)
    status.streams = operated.streams()
    _blocked(operated, status)
    return status


def _blocked(operated: Operated, status: operator_pb2.Status) -> None:
    holdings, now = operated.holdings.value, operated.clock.now()
    status.blocks_version = holdings.blocks.version
    status.blocks = len(holdings.blocks.holding(now))
    status.blocked_entries = len(holdings.blocked_entries(now))
    if holdings.lockout is not None:
        status.locked_out = holdings.lockout.reason or "the server says so"


def _is_connected(operated: Operated) -> bool:
    return operated.link.connected
