"""The SPIFFE Workload API, bound to what answers it."""

from collections.abc import Awaitable
from typing import Any, NoReturn

from agent.api.answers import Subject
from agent.api.jwt import JwtProfile
from agent.api.streams import Streaming, stream
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import workload_pb2


def workload_api(streaming: Streaming, jwt: JwtProfile) -> Service:
    """Serve `SpiffeWorkloadAPI`: the X.509-SVID and JWT-SVID profiles, not the WIT-SVID one.

    Spec: Workload API sections 1, 3 and 7 (WAPI-01, WAPI-03, WAPI-05, WAPI-48).
    """

    def fetch_x509_svid(call: Call[KernelPeer], _: Any) -> Awaitable[None]:
        return stream(streaming, call, Subject.X509_SVIDS)

    def fetch_x509_bundles(call: Call[KernelPeer], _: Any) -> Awaitable[None]:
        return stream(streaming, call, Subject.X509_BUNDLES)

    def fetch_jwt_bundles(call: Call[KernelPeer], _: Any) -> Awaitable[None]:
        return stream(streaming, call, Subject.JWT_BUNDLES)

    return service(
        workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"],
        {
            "FetchX509SVID": fetch_x509_svid,
            "FetchX509Bundles": fetch_x509_bundles,
            "FetchJWTSVID": jwt.fetch,
            "FetchJWTBundles": fetch_jwt_bundles,
            "ValidateJWTSVID": jwt.validate,
            "FetchWITSVID": _unimplemented,
            "FetchWITBundles": _unimplemented,
        },
    )


def _unimplemented(call: Call[KernelPeer], _: Any) -> NoReturn:
    # Named here although it is not answered, so that the security metadata is judged first.
    raise Refusal(Kind.UNIMPLEMENTED, f"{call.method}: the WIT-SVID profile is not supported")
