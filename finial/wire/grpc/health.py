"""gRPC's health service over a set of names that are watched."""

from collections.abc import Mapping
from typing import Any

from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.service import Service, service
from finial.wire.pb import health_pb2

_Status = health_pb2.HealthCheckResponse


def health(serving: Watch[Mapping[str, bool]]) -> Service:
    """Answer for each name whether it serves; the empty name stands for the whole server."""

    def answer(name: str) -> health_pb2.HealthCheckResponse | None:
        known = serving.value.get(name)
        if known is None:
            return None
        return _Status(status="SERVING" if known else "NOT_SERVING")

    def check(_: Call[Any], request: health_pb2.HealthCheckRequest) -> Any:
        found = answer(request.service)
        if found is None:
            raise Refusal(Kind.NOT_FOUND, f"unknown service {request.service!r}"[:200])
        return found

    def list_all(_: Call[Any], request: health_pb2.HealthListRequest) -> Any:
        response = health_pb2.HealthListResponse()
        for name in serving.value:
            response.statuses[name].CopyFrom(answer(name) or _Status())
        return response

    async def watch(call: Call[Any], request: health_pb2.HealthCheckRequest) -> None:
        last = b"none"
        async for _ in serving.changes():
            found = answer(request.service) or _Status(status="SERVICE_UNKNOWN")
            payload = found.SerializeToString()
            if payload != last:
                last = payload
                await call.send(found)

    descriptor = health_pb2.DESCRIPTOR.services_by_name["Health"]
    return service(descriptor, {"Check": check, "List": list_all, "Watch": watch})
