"""Proving our node to a server and renewing our SVID (`spire.api.server.agent.v1.Agent`)."""

from dataclasses import dataclass
from typing import Final

from agent.upstream.messages import bundle_of
from agent.upstream.servers import TIMEOUT, Servers
from attestors.contract import NodeEvidence
from finial.spiffe.bundle import Bundle
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid
from finial.wire.grpc.client import Channel, Stream
from finial.wire.grpc.method import method
from finial.wire.pb import agent_pb2, bundle_pb2, types_pb2

MAX_CHALLENGES: Final = 16
_SERVICE: Final = agent_pb2.DESCRIPTOR.services_by_name["Agent"]
_ATTEST: Final = method(_SERVICE, "AttestAgent")
_RENEW: Final = method(_SERVICE, "RenewAgent")
_POST_STATUS: Final = method(_SERVICE, "PostStatus")
_GET_BUNDLE: Final = method(bundle_pb2.DESCRIPTOR.services_by_name["Bundle"], "GetBundle")


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a server gave for our evidence."""

    svid: X509Svid
    reattestable: bool
    bundle: Bundle


async def attest(channel: Channel, evidence: NodeEvidence, csr: bytes) -> Attestation:
    """Prove the node, and fetch the bundle on the same connection.

    Raises: Refusal, of kind INVALID or DENIED if the evidence was not accepted.
    Spec: SPIRE 7.11, spire-wire 6.1.
    """
    first = agent_pb2.AttestAgentRequest(
        params=agent_pb2.AttestAgentRequest.Params(
            data=types_pb2.AttestationData(type=evidence.name, payload=await evidence.payload()),
            params=agent_pb2.AgentX509SVIDParams(csr=csr),
        )
    )
    async with channel.stream(_ATTEST, timeout=TIMEOUT) as stream:
        await stream.send(first)
        result = await _converse(stream, evidence)
    svid = X509Svid.parse(tuple(result.svid.cert_chain))
    answer = await channel.unary(_GET_BUNDLE, bundle_pb2.GetBundleRequest(), timeout=TIMEOUT)
    return Attestation(svid, result.reattestable, bundle_of(answer))


async def renew(servers: Servers, csr: bytes) -> X509Svid:
    """Have the server replace our SVID. Raises: Refusal."""
    request = agent_pb2.RenewAgentRequest(params=agent_pb2.AgentX509SVIDParams(csr=csr))
    answer = await servers.unary(_RENEW, request)
    return X509Svid.parse(tuple(answer.svid.cert_chain))


async def post_status(servers: Servers, version: str) -> None:
    """Tell the server which version we are. Raises: Refusal."""
    await servers.unary(_POST_STATUS, agent_pb2.PostStatusRequest(agent_version=version))


async def _converse(stream: Stream, evidence: NodeEvidence) -> agent_pb2.AttestAgentResponse.Result:
    for _ in range(MAX_CHALLENGES):
        answer = await stream.receive()
        if answer is None:
            break
        match answer.WhichOneof("step"):
            case "result":
                result: agent_pb2.AttestAgentResponse.Result = answer.result
                return result
            case "challenge":
                response = await evidence.respond(answer.challenge)
                await stream.send(agent_pb2.AttestAgentRequest(challenge_response=response))
            case _:
                break
    raise Refusal(Kind.INTERNAL, "the server ended the attestation without a result")
