"""A proxy's questions about access, and what an agent is told of the rules."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from finial.blocks import Block, BlocksDocument, SubjectKind, encode
from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, PolicyText
from finial.policy.statement import Form
from finial.wire.grpc.method import method
from finial.wire.pb import envoy_authz_pb2
from tests.doubles.running_agent import PATIENCE, RunningAgent

CHECK = method(envoy_authz_pb2.DESCRIPTOR.services_by_name["Authorization"], "Check")
OWN = "spiffe://example.org"
PAYMENT = f"{OWN}/payment"
ORDERS = f"{OWN}/orders"


def rule(name: str, caller: str = ORDERS, callee: str = PAYMENT, **more: Any) -> PolicyText:
    text = json.dumps({"name": name, "from": caller, "to": callee, **more})
    return PolicyText(name, Form.RULE, text)


CHARGE = rule("orders may charge", methods=["POST"], paths=["/transaction/*"])


def policies(
    version: int, modes: Mapping[str, Mode] | None = None, *rules: PolicyText, **more: Any
) -> bytes:
    """A document of rules; without modes payment enforces them."""
    callees = {PAYMENT: Mode.ENFORCE} if modes is None else dict(modes)
    return PolicyDocument(version=version, callees=callees, policies=rules, **more).encoded()


def blocks(version: int, **subjects: str) -> bytes:
    """A document in which each of these, such as `spiffe_ids="..."`, is blocked."""
    block = Block("b1", SubjectKind.SPIFFE_ID, "", "key leaked", 1)
    named = {kind: {subject: block.id} for kind, subject in subjects.items()}
    return encode(BlocksDocument(version=version, blocks=(block,), **named))  # type: ignore[arg-type]


def question(
    principal: str = ORDERS,
    verb: str = "POST",
    path: str = "/transaction/1",
    *,
    callee: str = "",
    certificate: str = "",
    **headers: str,
) -> Any:
    """A CheckRequest as Envoy makes it; underscores in headers' names are dashes."""
    request = envoy_authz_pb2.CheckRequest()
    request.attributes.source.principal = principal
    request.attributes.source.certificate = certificate
    http = request.attributes.request.http
    http.method, http.path, http.host = verb, path, "payment.test"
    for name, value in headers.items():
        http.headers[name.replace("_", "-")] = value
    if callee:
        request.attributes.context_extensions["callee"] = callee
    return request


def encoded(certificate: x509.Certificate) -> str:
    """A certificate as Envoy sends it."""
    return quote(certificate.public_bytes(Encoding.PEM).decode(), safe="")


async def ask(agent: RunningAgent, request: Any) -> Any:
    return await agent.workload.unary(CHECK, request, timeout=PATIENCE)


async def outcome(agent: RunningAgent, *given: Any, **more: Any) -> str:
    """`ok`, or the reason of a denial."""
    answer = await ask(agent, question(*given, **more))
    return reason_of(answer)


def reason_of(answer: Any) -> str:
    if answer.WhichOneof("http_response") == "ok_response":
        assert answer.status.code == 0
        return "ok"
    assert answer.status.code != 0
    assert answer.denied_response.status.code == 403
    reason: str = json.loads(answer.denied_response.body)["reason"]
    return reason
