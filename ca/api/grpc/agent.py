"""SPIRE's Agent service: attestation, renewal, and the administration of agents."""

from ipaddress import ip_address
from typing import Final

from ca.api.grpc.caller import ServerCall, actor_of, agent_of
from ca.api.grpc.messages.agents import agent_message, node_filter
from ca.api.grpc.messages.masks import AGENT_FIELDS, masked
from ca.api.grpc.peer import RemotePeer
from ca.api.grpc.rate_limits import Gates
from ca.api.grpc.svid import x509_message
from ca.operations.administration.administer_agents import (
    ban_agent,
    count_agents,
    evict_agent,
    find_agent,
    list_agents,
    post_status,
)
from ca.operations.administration.administer_tokens import create_join_token
from ca.operations.attest_node import Attestation, attest_node
from ca.operations.renew_agent import renew_agent
from ca.operations.world import World
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.convert import spiffe_id_from
from finial.wire.grpc.service import Service, service
from finial.wire.pb import agent_pb2, types_pb2
from finial.wire.pb.well_known import Empty

ATTESTATION_SECONDS: Final = 60.0
"""How long anybody may keep us waiting for evidence."""
SHORTEST_CHOSEN_TOKEN: Final = 16

DESCRIPTOR: Final = agent_pb2.DESCRIPTOR.services_by_name["Agent"]


class AgentService:
    """Handlers of the Agent service."""

    def __init__(self, world: World, gates: Gates) -> None:
        self._world = world
        self._gates = gates

    def service(self) -> Service:
        """Bind the handlers."""
        return service(
            DESCRIPTOR,
            {
                "CountAgents": self._count,
                "ListAgents": self._list,
                "GetAgent": self._get,
                "DeleteAgent": self._delete,
                "BanAgent": self._ban,
                "AttestAgent": self._attest,
                "RenewAgent": self._renew,
                "CreateJoinToken": self._create_join_token,
                "PostStatus": self._post_status,
            },
        )

    def _count(
        self, _: ServerCall, request: agent_pb2.CountAgentsRequest
    ) -> agent_pb2.CountAgentsResponse:
        wanted = node_filter(request.filter) if request.HasField("filter") else None
        return agent_pb2.CountAgentsResponse(count=count_agents(self._world, wanted))

    def _list(
        self, _: ServerCall, request: agent_pb2.ListAgentsRequest
    ) -> agent_pb2.ListAgentsResponse:
        wanted = node_filter(request.filter) if request.HasField("filter") else None
        page = list_agents(self._world, wanted, request.page_size, request.page_token)
        fields = masked(request, "output_mask", AGENT_FIELDS)
        return agent_pb2.ListAgentsResponse(
            agents=[agent_message(node, fields) for node in page.items],
            next_page_token=page.next_token,
        )

    def _get(self, _: ServerCall, request: agent_pb2.GetAgentRequest) -> types_pb2.Agent:
        node = find_agent(self._world, spiffe_id_from(request.id))
        return agent_message(node, masked(request, "output_mask", AGENT_FIELDS))

    async def _delete(self, call: ServerCall, request: agent_pb2.DeleteAgentRequest) -> Empty:
        await evict_agent(self._world, actor_of(call), spiffe_id_from(request.id))
        return Empty()

    async def _ban(self, call: ServerCall, request: agent_pb2.BanAgentRequest) -> Empty:
        await ban_agent(self._world, actor_of(call), spiffe_id_from(request.id))
        return Empty()

    async def _attest(self, call: ServerCall) -> None:
        await self._gates.attestation.enter(call)
        # A client need not set a deadline, and one without evidence would wait here for ever.
        latest = self._world.clock.monotonic() + ATTESTATION_SECONDS
        call.deadline = latest if call.deadline is None else min(call.deadline, latest)
        first = await anext(call, None)
        attestation = _attestation(call, first)

        async def converse(challenge: bytes) -> bytes:
            await call.send(agent_pb2.AttestAgentResponse(challenge=challenge))
            answer = await anext(call, None)
            if answer is None or answer.WhichOneof("step") != "challenge_response":
                raise Refusal(Kind.INVALID, "malformed param: missing challenge response")
            return bytes(answer.challenge_response)

        attested = await attest_node(self._world, actor_of(call), attestation, converse)
        result = agent_pb2.AttestAgentResponse.Result(
            svid=x509_message(attested.svid), reattestable=attested.node.can_reattest
        )
        await call.send(agent_pb2.AttestAgentResponse(result=result))

    async def _renew(
        self, call: ServerCall, request: agent_pb2.RenewAgentRequest
    ) -> agent_pb2.RenewAgentResponse:
        await self._gates.renewal.enter(call)
        if not request.HasField("params"):
            raise Refusal(Kind.INVALID, "params cannot be nil", field="params")
        if not request.params.csr:
            raise Refusal(Kind.INVALID, "missing CSR", field="params.csr")
        svid = await renew_agent(self._world, actor_of(call), agent_of(call), request.params.csr)
        return agent_pb2.RenewAgentResponse(svid=x509_message(svid))

    async def _create_join_token(
        self, call: ServerCall, request: agent_pb2.CreateJoinTokenRequest
    ) -> types_pb2.JoinToken:
        alias = spiffe_id_from(request.agent_id) if request.HasField("agent_id") else None
        _judge_chosen(request.token)
        made = await create_join_token(
            self._world, actor_of(call), request.ttl, text=request.token, alias=alias
        )
        return types_pb2.JoinToken(value=made.text, expires_at=made.token.expires_at)

    async def _post_status(
        self, call: ServerCall, request: agent_pb2.PostStatusRequest
    ) -> agent_pb2.PostStatusResponse:
        await self._gates.status.enter(call)
        await post_status(self._world, agent_of(call), request.agent_version)
        return agent_pb2.PostStatusResponse()


def _attestation(call: ServerCall, first: agent_pb2.AttestAgentRequest | None) -> Attestation:
    if first is None or first.WhichOneof("step") != "params":
        raise _malformed("missing params")
    data, csr = first.params.data, first.params.params.csr
    if not first.params.HasField("data"):
        raise _malformed("missing attestation data")
    if not first.params.HasField("params"):
        raise _malformed("missing X509-SVID parameters")
    if not csr:
        raise _malformed("missing CSR")
    if not data.type:
        raise _malformed("missing attestation data type")
    if not data.payload:
        raise _malformed("missing attestation data payload")
    peer = call.peer
    address = ip_address(peer.address) if isinstance(peer, RemotePeer) else None
    return Attestation(data.type, data.payload, csr, address)


def _judge_chosen(token: str) -> None:
    # An agent shows a token's name before it knows the server, and a short token can be guessed
    # from its name.
    if token and len(token) < SHORTEST_CHOSEN_TOKEN:
        raise Refusal(
            Kind.INVALID,
            f"a join token that is chosen has at least {SHORTEST_CHOSEN_TOKEN} characters",
            field="token",
            remedy="leave it out to have one made",
        )


def _malformed(fault: str) -> Refusal:
    return Refusal(Kind.INVALID, f"malformed param: {fault}")
