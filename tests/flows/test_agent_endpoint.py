"""The Workload Endpoint: what listens, what it asks of callers, and what it can bear."""

import asyncio
import os
import socket
import stat
from typing import Any

import pytest

from agent.api.gate import PREFIX
from agent.assemble.ground import prepare_directories
from agent.settings import read
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import Method, method
from finial.wire.pb import (
    health_pb2,
    reflection_pb2,
    reflection_v1alpha_pb2,
    workload_pb2,
)
from tests.doubles.running_agent import HEADER, RunningAgent, Scene, soon, until
from tests.flows.agent_scenes import ME, play, refused

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]


async def reflected(agent: RunningAgent, module: Any, **question: str) -> Any:
    service = module.DESCRIPTOR.services_by_name["ServerReflection"]
    asking = agent.workload.stream(method(service, "ServerReflectionInfo"))
    async with asking as stream:
        await stream.send(module.ServerReflectionRequest(**question))
        return await soon(stream.receive())


def test_the_endpoint_is_a_unix_socket_and_nothing_else() -> None:
    """WEP-01, WEP-03, WEP-04: the agent listens on Unix sockets; there is no TCP address."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            servers = (agent.parts.listeners.workload, agent.parts.listeners.operators)
            for server in servers:
                assert [s.family for each in server._listeners for s in each.sockets] == [
                    socket.AF_UNIX
                ]
            path = played.folder / "d/workload/workload.sock"
            assert stat.S_IMODE(path.stat().st_mode) == 0o777
            assert [each.name for each in path.parent.iterdir()] == ["workload.sock"]
            assert stat.S_IMODE((played.folder / "d/agent.sock").stat().st_mode) == 0o666

    play(act)


def test_callers_bring_nothing_but_the_security_metadata() -> None:
    """SPF-03, WEP-02, WEP-07, WEP-12, WEP-14, WEP-20: clear-text gRPC, no TLS, no credentials at all."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            assert (await agent.fetch()).svids[0].spiffe_id == "spiffe://example.org/web"

    play(act)


def test_both_profiles_answer_under_the_names_of_the_proto() -> None:
    """WAPI-01, WAPI-05: X.509 and JWT answer at /SpiffeWorkloadAPI/, which has no package."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            assert PREFIX == "/SpiffeWorkloadAPI/"
            await agent.fetch("FetchX509SVID")
            await agent.fetch("FetchX509Bundles")
            await agent.fetch("FetchJWTBundles")
            await agent.call("FetchJWTSVID", workload_pb2.JWTSVIDRequest(audience=["a"]))

    play(act)


@pytest.mark.parametrize("module", [reflection_pb2, reflection_v1alpha_pb2])
def test_reflection_lists_the_workload_api_as_it_is(module: Any) -> None:
    """WEP-19, WEP-21, WAPI-04: the service has exactly the seven methods of the standard."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            listed = await reflected(agent, module, list_services="")
            names = {each.name for each in listed.list_services_response.service}
            described = await reflected(agent, module, file_containing_symbol="SpiffeWorkloadAPI")
        assert names == {
            "SpiffeWorkloadAPI",
            "envoy.service.auth.v3.Authorization",
            "envoy.service.secret.v3.SecretDiscoveryService",
            "finial.workload.v1.Introspection",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        assert described.file_descriptor_response.file_descriptor_proto
        assert sorted(workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"].methods_by_name) == [
            "FetchJWTBundles",
            "FetchJWTSVID",
            "FetchWITBundles",
            "FetchWITSVID",
            "FetchX509Bundles",
            "FetchX509SVID",
            "ValidateJWTSVID",
        ]  # fmt: skip

    play(act)


def test_health_needs_no_security_metadata_and_is_true() -> None:
    """WEP-06 binds the Workload API alone: health on its socket answers whoever asks."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            asking = method(HEALTH, "Check")
            answer = await agent.workload.unary(asking, asking.request(), timeout=5)
        # The scene starts no announcement of readiness: the agent is not yet said to serve.
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING

    play(act)


def test_an_unknown_method_is_unimplemented() -> None:
    """WEP-18: what the service does not have is said to be missing."""

    async def act(played: Scene) -> None:
        unknown = Method(
            "/SpiffeWorkloadAPI/FetchEverything",
            workload_pb2.X509SVIDRequest,
            workload_pb2.X509SVIDResponse,
            False,
            False,
        )
        async with played.agent() as agent:
            calling = agent.workload.unary(
                unknown, workload_pb2.X509SVIDRequest(), timeout=5, metadata=HEADER
            )
            assert (await refused(calling)).kind is Kind.UNIMPLEMENTED

    play(act)


def test_a_request_over_the_limit_is_refused_and_others_notice_nothing() -> None:
    """A message of a megabyte is refused from its first bytes, and the next caller is served."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            huge = workload_pb2.JWTSVIDRequest(audience=["x" * 1_000_000])
            assert (await refused(agent.call("FetchJWTSVID", huge))).kind is Kind.EXHAUSTED
            await agent.fetch()

    play(act)


def test_a_uid_has_its_connections_counted() -> None:
    """WEP-16: over its limit a uid gets no more connections, and gets them back afterwards."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent(connections_per_uid=2) as agent:
            await agent.fetch()  # the first connection, which stays
            path = played.folder / "d/workload/workload.sock"
            second = Channel(UnixAddress(path))
            third = Channel(UnixAddress(path))
            asking = method(HEALTH, "Check")
            await second.unary(asking, asking.request(), timeout=5)
            with pytest.raises(Refusal):
                await third.unary(asking, asking.request(), timeout=5)
            await second.close()
            await until(lambda: agent.parts.listeners.workload.connections == 1)
            await third.unary(asking, asking.request(), timeout=5)
            await third.close()

    play(act)


def test_idle_connections_cost_the_others_nothing() -> None:
    """A thousand callers that say nothing keep nobody from being served."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            path = str(played.folder / "d/workload/workload.sock")
            idle = []
            for _ in range(1000):
                each = socket.socket(socket.AF_UNIX)
                each.setblocking(False)
                await asyncio.get_running_loop().sock_connect(each, path)
                idle.append(each)
            await agent.fetch()
            assert agent.parts.listeners.workload.connections == 1001
            for each in idle:
                each.close()
            await until(lambda: agent.parts.listeners.workload.connections == 1)

    play(act)


def test_a_second_agent_does_not_take_the_socket_away() -> None:
    """A socket that somebody listens on is refused with the reason."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            settings = read(
                {"agent": {"trust_domain": "example.org", "data_dir": str(played.folder / "d")}}
            )
            refusal = await refused(agent.parts.listeners.listen(settings.agent))
            assert refusal.kind is Kind.EXISTS

    play(act)


def test_an_unsafe_folder_is_refused() -> None:
    """A data directory that others can write, or a link, is refused with the remedy."""

    async def act(played: Scene) -> None:
        def agent(name: str) -> Any:
            table = {"trust_domain": "example.org", "data_dir": str(played.folder / name)}
            return read({"agent": table}).agent

        (played.folder / "open").mkdir()
        (played.folder / "open").chmod(0o777)
        (played.folder / "link").symlink_to(played.folder / "d")
        for name in ("open", "link"):
            with pytest.raises(Refusal) as caught:
                prepare_directories(agent(name))
            assert caught.value.kind is Kind.PRECONDITION
            assert caught.value.remedy
        (played.folder / "file").write_text("")
        with pytest.raises(Refusal):
            prepare_directories(agent("file/below"))

    play(act)


def test_streams_that_end_give_everything_back() -> None:
    """WAPI-06, WAPI-08: after a hundred streams came and went nothing of them is left."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await agent.fetch()
            before = len(os.listdir("/proc/self/fd"))
            path = UnixAddress(played.folder / "d/workload/workload.sock")
            fetching = method(
                workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"], "FetchX509SVID"
            )
            for _ in range(100):
                channel = Channel(path)
                async with channel.stream(fetching, metadata=HEADER) as stream:
                    await stream.send(fetching.request())
                    await stream.end()
                    await soon(stream.receive())
                await channel.close()
            await until(lambda: agent.parts.listeners.workload.connections == 1)
            await until(lambda: agent.parts.listeners.gate.open_calls == 0)
            assert len(os.listdir("/proc/self/fd")) <= before + 2
            assert not agent.parts.tasks.subscriptions.demand().subscribed

    play(act)
