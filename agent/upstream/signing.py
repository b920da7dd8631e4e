"""The server signs SVIDs for our workloads (`spire.api.server.svid.v1.SVID`)."""

from collections.abc import Mapping, Sequence
from typing import Final

from agent.upstream.servers import Servers
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid
from finial.wire.grpc.method import method
from finial.wire.pb import svid_pb2
from finial.wire.status import Code, Status, refusal_of

_SERVICE: Final = svid_pb2.DESCRIPTOR.services_by_name["SVID"]
_BATCH_NEW_X509_SVID: Final = method(_SERVICE, "BatchNewX509SVID")
_NEW_JWT_SVID: Final = method(_SERVICE, "NewJWTSVID")


class Signing:
    """Asks for X.509-SVIDs in batches and for JWT-SVIDs one at a time."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def new_x509_svids(self, requests: Mapping[str, bytes]) -> dict[str, X509Svid | Refusal]:
        """Have signing requests (DER, by entry id) signed: for each an SVID or why there is none.

        At most 500 in one call (SPIRE BS-04). Raises: Refusal if the call as a whole failed.
        """
        batch = svid_pb2.BatchNewX509SVIDRequest()
        for entry_id, csr in requests.items():
            batch.params.add(entry_id=entry_id, csr=csr)
        answer = await self._servers.unary(_BATCH_NEW_X509_SVID, batch)
        if len(answer.results) != len(requests):
            raise Refusal(
                Kind.INTERNAL,
                f"the server answered {len(answer.results)} of {len(requests)} requests",
            )
        return {
            entry_id: _svid(result)
            for entry_id, result in zip(requests, answer.results, strict=True)
        }

    async def new_jwt_svid(self, entry_id: str, audience: Sequence[str]) -> str:
        """Have a token signed for these audiences.

        Raises: Refusal.
        """
        request = svid_pb2.NewJWTSVIDRequest(entry_id=entry_id, audience=audience)
        answer = await self._servers.unary(_NEW_JWT_SVID, request)
        token: str = answer.svid.token
        return token


def _svid(result: svid_pb2.BatchNewX509SVIDResponse.Result) -> X509Svid | Refusal:
    if result.status.code != Code.OK:
        return refusal_of(Status(Code(result.status.code), result.status.message))
    try:
        return X509Svid.parse(tuple(result.svid.cert_chain))
    except Refusal as refusal:
        return refusal
