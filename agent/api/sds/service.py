"""`envoy.service.secret.v3.SecretDiscoveryService`, bound to what answers it."""

from collections.abc import Awaitable
from typing import Any

from agent.api.sds.delta import Delta
from agent.api.sds.state_of_world import StateOfTheWorld
from agent.api.sds.stream import Serving, fetch, serve
from finial.runtime.peer import KernelPeer
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import envoy_sds_pb2
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest


def secret_discovery(serving: Serving) -> Service:
    """Serve Envoy's secret discovery, in all its forms; no Envoy sends the security metadata."""

    def stream_secrets(call: Call[KernelPeer]) -> Awaitable[None]:
        return serve(serving, call, StateOfTheWorld())

    def delta_secrets(call: Call[KernelPeer]) -> Awaitable[None]:
        return serve(serving, call, Delta())

    def fetch_secrets(call: Call[KernelPeer], request: DiscoveryRequest) -> Awaitable[Any]:
        return fetch(serving, call, request)

    return service(
        envoy_sds_pb2.DESCRIPTOR.services_by_name["SecretDiscoveryService"],
        {
            "StreamSecrets": stream_secrets,
            "DeltaSecrets": delta_secrets,
            "FetchSecrets": fetch_secrets,
        },
    )
