"""SPIRE's SVID service: what agents ask for in their workloads' names, and minting."""

from typing import Final

from ca.api.grpc.caller import ServerCall, actor_of, agent_of
from ca.api.grpc.messages.item_status import OK, item_status
from ca.api.grpc.rate_limits import Gates
from ca.operations.issuing.issue_svids import (
    IssuedJwt,
    IssuedX509,
    X509Wish,
    issue_jwt_svid,
    issue_x509_svids,
)
from ca.operations.issuing.mint_svids import mint_jwt_svid, mint_x509_svid
from ca.operations.world import World
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.convert import spiffe_id_from, spiffe_id_message
from finial.wire.grpc.service import Service, service
from finial.wire.pb import svid_pb2, types_pb2

DESCRIPTOR: Final = svid_pb2.DESCRIPTOR.services_by_name["SVID"]


class SvidService:
    """Handlers of the SVID service; WIT-SVIDs and downstream authorities come later."""

    def __init__(self, world: World, gates: Gates) -> None:
        self._world = world
        self._gates = gates

    def service(self) -> Service:
        """Bind the handlers."""
        return service(
            DESCRIPTOR,
            {
                "MintX509SVID": self._mint_x509,
                "MintJWTSVID": self._mint_jwt,
                "BatchNewX509SVID": self._new_x509,
                "NewJWTSVID": self._new_jwt,
            },
        )

    async def _mint_x509(
        self, call: ServerCall, request: svid_pb2.MintX509SVIDRequest
    ) -> svid_pb2.MintX509SVIDResponse:
        svid = await mint_x509_svid(self._world, actor_of(call), request.csr, request.ttl)
        return svid_pb2.MintX509SVIDResponse(svid=x509_message(svid))

    async def _mint_jwt(
        self, call: ServerCall, request: svid_pb2.MintJWTSVIDRequest
    ) -> svid_pb2.MintJWTSVIDResponse:
        spiffe_id = spiffe_id_from(request.id)
        svid = await mint_jwt_svid(
            self._world, actor_of(call), spiffe_id, request.audience, request.ttl
        )
        return svid_pb2.MintJWTSVIDResponse(svid=jwt_message(svid))

    async def _new_x509(
        self, call: ServerCall, request: svid_pb2.BatchNewX509SVIDRequest
    ) -> svid_pb2.BatchNewX509SVIDResponse:
        if not request.params:
            raise Refusal(Kind.INVALID, "missing parameters", field="params")
        await self._gates.x509_signing.enter(call, len(request.params))
        wishes = [X509Wish(each.entry_id, each.csr) for each in request.params]
        results = await issue_x509_svids(self._world, actor_of(call), agent_of(call), wishes)
        response = svid_pb2.BatchNewX509SVIDResponse()
        for result in results:
            if isinstance(result, Refusal):
                response.results.add(status=item_status(result))
            else:
                response.results.add(status=OK, svid=x509_message(result))
        return response

    async def _new_jwt(
        self, call: ServerCall, request: svid_pb2.NewJWTSVIDRequest
    ) -> svid_pb2.NewJWTSVIDResponse:
        await self._gates.jwt_signing.enter(call)
        svid = await issue_jwt_svid(
            self._world, actor_of(call), agent_of(call), request.entry_id, request.audience
        )
        return svid_pb2.NewJWTSVIDResponse(svid=jwt_message(svid))


def x509_message(svid: IssuedX509) -> types_pb2.X509SVID:
    """Write an X509-SVID."""
    return types_pb2.X509SVID(
        id=spiffe_id_message(svid.id),
        cert_chain=svid.chain,
        expires_at=svid.issued.expires_at,
    )


def jwt_message(svid: IssuedJwt) -> types_pb2.JWTSVID:
    """Write a JWT-SVID."""
    return types_pb2.JWTSVID(
        token=svid.token,
        id=spiffe_id_message(svid.id),
        expires_at=svid.issued.expires_at,
        issued_at=svid.issued.issued_at,
    )
