"""The two services that every gRPC server may have."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from finial.runtime.watch import Watch
from finial.spiffe.refusal import Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.health import health
from finial.wire.grpc.method import method
from finial.wire.grpc.reflection import reflection
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import service
from finial.wire.http2.engine import EngineName
from finial.wire.pb import (
    health_pb2,
    reflection_pb2,
    reflection_v1alpha_pb2,
    types_pb2,
    workload_pb2,
)

Run = Callable[[Any], None]
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
Check = health_pb2.HealthCheckRequest
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


def serving_at(path: Path, engine: EngineName, *services: Any) -> Server[Any]:
    return Server(services, identify=lambda transport: "", engine=engine)


def test_health_is_checked_listed_and_watched(run: Run, path: Path, engine: EngineName) -> None:
    """Each name has its own state; a watcher hears of each change, also of an unknown name."""

    async def scene() -> None:
        states: Watch[Mapping[str, bool]] = Watch({"": True, "a": False})
        server = serving_at(path, engine, health(states))
        await server.listen_unix(path, 0o600)
        channel = Channel(UnixAddress(path), engine=engine)
        check = method(HEALTH, "Check")
        for name, status in (("", SERVING), ("a", NOT_SERVING)):
            assert (await channel.unary(check, Check(service=name), timeout=5)).status == status
        with pytest.raises(Refusal, match="unknown service 'b'"):
            await channel.unary(check, Check(service="b"), timeout=5)
        listed = await channel.unary(
            method(HEALTH, "List"), health_pb2.HealthListRequest(), timeout=5
        )
        found = {name: state.status for name, state in listed.statuses.items()}
        assert found == {"": SERVING, "a": NOT_SERVING}
        async with channel.stream(method(HEALTH, "Watch")) as watching:
            await watching.send(Check(service="b"))
            await watching.end()
            assert (await watching.receive()).status == SERVICE_UNKNOWN
            states.set({"b": True})
            assert (await watching.receive()).status == SERVING
            states.set({"b": True, "c": True})
            states.set({"b": False})
            assert (await watching.receive()).status == NOT_SERVING
        await channel.close()
        await server.close(grace=0)

    run(scene())


ASKED: Mapping[str, tuple[dict[str, str], str]] = {
    "a service": ({"file_containing_symbol": "SpiffeWorkloadAPI"}, "workload.proto"),
    "a method": ({"file_containing_symbol": "SpiffeWorkloadAPI.FetchX509SVID"}, "workload.proto"),
    "a message": ({"file_containing_symbol": "X509SVIDResponse"}, "workload.proto"),
    "a nested message": (
        {"file_containing_symbol": "X509SVIDResponse.FederatedBundlesEntry"},
        "workload.proto",
    ),
    "a field": ({"file_containing_symbol": "X509SVID.hint"}, "workload.proto"),
    "a file": ({"file_by_filename": "workload.proto"}, "workload.proto"),
    "a dependency": ({"file_by_filename": "google/protobuf/struct.proto"}, "struct.proto"),
    "an enumeration": ({"file_containing_symbol": "google.protobuf.NullValue"}, "struct.proto"),
    "another message of the pool": ({"file_containing_symbol": "spire.api.types.Entry"}, ""),
    "an unknown symbol": ({"file_containing_symbol": "X509SVIDResponse.Nothing.more"}, ""),
    "an unknown method": ({"file_containing_symbol": "SpiffeWorkloadAPI.Nothing"}, ""),
    "an unknown file": ({"file_by_filename": "types.proto"}, ""),
    "extensions": ({"all_extension_numbers_of_type": "X509SVID"}, ""),
    "nothing": ({"host": "x"}, ""),
}


@pytest.mark.parametrize("version", [reflection_pb2, reflection_v1alpha_pb2])
def test_reflection_describes_what_is_served(
    run: Run, path: Path, engine: EngineName, version: Any
) -> None:
    """The Workload API and what it needs are described, nothing else (WEP-19, WEP-21)."""

    async def scene() -> None:
        workload = service(workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"], {})
        server = serving_at(path, engine, workload, *reflection([workload]))
        await server.listen_unix(path, 0o600)
        channel = Channel(UnixAddress(path), engine=engine)
        info = method(
            version.DESCRIPTOR.services_by_name["ServerReflection"], "ServerReflectionInfo"
        )
        async with channel.stream(info) as stream:
            await stream.send(version.ServerReflectionRequest(list_services="*"))
            listed = (await stream.receive()).list_services_response.service
            assert [each.name for each in listed] == [
                "SpiffeWorkloadAPI",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ]
            for asked, expected in ASKED.values():
                request = version.ServerReflectionRequest(**asked)
                await stream.send(request)
                answer = await stream.receive()
                assert answer.original_request == request
                files = answer.file_descriptor_response.file_descriptor_proto
                if expected:
                    assert expected.encode() in files[0]
                else:
                    assert answer.error_response.error_code in {3, 5}
        await channel.close()
        await server.close(grace=0)

    run(scene())


def test_the_workload_api_is_described_with_its_seven_methods() -> None:
    """The Workload API is not extended by methods of ours (WEP-19)."""
    [described] = workload_pb2.DESCRIPTOR.services_by_name.values()
    assert sorted(described.methods_by_name) == [
        "FetchJWTBundles",
        "FetchJWTSVID",
        "FetchWITBundles",
        "FetchWITSVID",
        "FetchX509Bundles",
        "FetchX509SVID",
        "ValidateJWTSVID",
    ]
    assert types_pb2.DESCRIPTOR.package == "spire.api.types"
