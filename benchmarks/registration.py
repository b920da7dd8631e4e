"""What is asked of a peer through its local socket."""

import os
import time

import grpc

from benchmarks.peers import TRUST_DOMAIN, Peer
from finial.wire.pb import entry_pb2, health_pb2, types_pb2


def register_caller(peer: Peer) -> None:
    """Create one entry for this uid under the peer's agent."""
    entry = types_pb2.Entry(
        spiffe_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path="/bench/caller"),
        parent_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path=peer.agent_path),
        selectors=[types_pb2.Selector(type="unix", value=f"uid:{os.getuid()}")],
    )
    with grpc.insecure_channel(f"unix:{peer.server_socket}") as channel:
        call = channel.unary_unary(
            "/spire.api.server.entry.v1.Entry/BatchCreateEntry",
            request_serializer=entry_pb2.BatchCreateEntryRequest.SerializeToString,
            response_deserializer=entry_pb2.BatchCreateEntryResponse.FromString,
        )
        answer = call(entry_pb2.BatchCreateEntryRequest(entries=[entry]), timeout=10)
    assert answer.results[0].status.code == 0, answer


def until_healthy(peer: Peer) -> None:
    """Wait until the server answers the standard health check."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with grpc.insecure_channel(f"unix:{peer.server_socket}") as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            try:
                if check(health_pb2.HealthCheckRequest(), timeout=1).status == 1:
                    return
            except grpc.RpcError:
                time.sleep(0.02)
    raise TimeoutError(f"{peer.name}: the server is not healthy")
