"""The gRPC form: `envoy.service.auth.v3.Authorization`, on the workloads' socket.

Whoever is denied gets 403 with a reason id, never a rule. What could not be decided is the status
of the call itself: then it is Envoy's configuration that denies (`failure_mode_allow` is false).
"""

from collections.abc import Awaitable
from typing import Any, Final

from agent.access.asked import Asked
from agent.api.call_records import CallRecords
from agent.api.ext_authz.answers import CheckAnswers
from agent.api.ext_authz.deciding import Deciding
from agent.operations.record_decisions import Decided
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import envoy_authz_pb2

CALLEE: Final = "callee"
"""The context extension by which an Envoy with several identities says for which it asks."""


def authorization(deciding: Deciding, records: CallRecords) -> Service:
    """Serve it to every process that has an identity, which is then the callee."""
    answers = CheckAnswers(deciding.caller_header)

    def check(call: Call[KernelPeer], request: Any) -> bytes | Awaitable[bytes]:
        try:
            decided = deciding.decide(call.peer, asked_by(request))
        except Refusal as refusal:
            raise records.refused(call, refusal) from refusal
        if isinstance(decided, Decided):
            return answers.answer(decided)
        return waited(call, decided)

    async def waited(call: Call[KernelPeer], deciding: Awaitable[Decided]) -> bytes:
        try:
            return answers.answer(await deciding)
        except Refusal as refusal:
            raise records.refused(call, refusal) from refusal

    descriptor = envoy_authz_pb2.DESCRIPTOR.services_by_name["Authorization"]
    return service(descriptor, {"Check": check})


def asked_by(request: Any) -> Asked:
    """What a CheckRequest asks."""
    attributes = request.attributes
    source, http = attributes.source, attributes.request.http
    headers = http.headers or _joined(http.header_map.headers)
    return Asked(
        method=http.method,
        target=http.path,
        principal=source.principal,
        certificate=source.certificate,
        authorization=headers.get("authorization", ""),
        forwarded=headers.get("x-forwarded-client-cert", ""),
        named=attributes.context_extensions.get(CALLEE, ""),
    )


def _joined(raw: Any) -> dict[str, str]:
    """Headers as Envoy sends them if it is told to send them raw, repeated ones joined."""
    headers: dict[str, str] = {}
    for each in raw:
        value = each.value or each.raw_value.decode("latin-1")
        known = headers.get(each.key)
        headers[each.key] = value if known is None else f"{known},{value}"
    return headers
