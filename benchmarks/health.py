"""Whether a server serves: the standard health check on its local socket."""

import time

import grpc

from finial.wire.pb import health_pb2


def until_healthy(socket: str, seconds: float = 120) -> None:
    """Wait until the server at that socket says that it serves."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with grpc.insecure_channel(f"unix:{socket}") as channel:
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
    raise TimeoutError(f"the server at {socket} is not healthy")
