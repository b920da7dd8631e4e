"""grpcio judges: as a client of our server, and as a server of our client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.health import health as our_health
from finial.wire.grpc.method import method
from finial.wire.grpc.reflection import reflection
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from finial.wire.pb import health_pb2 as our_health_pb2
from finial.wire.status import status_of
from tests.doubles.clock import settle
from tests.doubles.echo import CONVERSE, GATHER, REPEAT, SAY, SAY_LATER, Echo, Said, echo_server

Scene = Coroutine[Any, Any, None]


@pytest.fixture(params=list(EngineName), ids=str)
def engine(request: pytest.FixtureRequest) -> EngineName:
    return EngineName(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo.sock"


def run(scene: Scene) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scene

    asyncio.run(bounded())


class Stub:
    """grpcio's callables for the echo service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        def made(make: Callable[..., Any], name: str) -> Any:
            return make(
                f"/echo.Echo/{name}",
                request_serializer=Said.SerializeToString,
                response_deserializer=Said.FromString,
            )

        self.say = made(channel.unary_unary, "Say")
        self.say_later = made(channel.unary_unary, "SayLater")
        self.repeat = made(channel.unary_stream, "Repeat")
        self.gather = made(channel.stream_unary, "Gather")
        self.converse = made(channel.stream_stream, "Converse")
        self.unanswered = made(channel.unary_unary, "Unanswered")


@contextlib.asynccontextmanager
async def grpcio_client(path: Path, **settings: Any) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(f"unix:{path}", **settings) as channel:
        yield Stub(channel)


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


def test_grpcio_makes_all_four_kinds_of_calls(path: Path, engine: EngineName) -> None:
    """A client on gRPC's own C core gets what it should from each kind of call."""

    async def scene() -> None:
        async with echo_server(path, Echo(), engine=engine), grpcio_client(path) as stub:
            assert (await stub.say(Said(text="a"))).text == "a"
            counts = [said.count async for said in stub.repeat(Said(text="b", count=100))]
            assert counts == list(range(100))

            async def letters() -> AsyncIterator[Any]:
                for letter in "cde":
                    yield Said(text=letter)

            assert (await stub.gather(letters())).text == "c,d,e"
            call = stub.converse()
            for text in ("f", "g"):
                await call.write(Said(text=text))
                assert (await call.read()).text == text
            await call.done_writing()
            assert await call.read() == grpc.aio.EOF
            assert await call.code() == grpc.StatusCode.OK

    run(scene())


def test_grpcio_sends_and_receives_a_megabyte(path: Path, engine: EngineName) -> None:
    """Messages far larger than the windows pass both ways, many at once."""

    async def scene() -> None:
        body = bytes(range(256)) * 4096
        async with echo_server(path, Echo(), engine=engine), grpcio_client(path) as stub:
            answers = await asyncio.gather(*(stub.say(Said(body=body)) for _ in range(8)))
            assert all(answer.body == body for answer in answers)

    run(scene())


def test_grpcio_reads_refusals(path: Path, engine: EngineName) -> None:
    """Code, percent-encoded text and details arrive; a bug of ours is only "internal"."""

    async def scene() -> None:
        async with echo_server(path, Echo(), engine=engine), grpcio_client(path) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.say(Said(text="refuse"))
            error = caught.value
            assert error.code() == grpc.StatusCode.PERMISSION_DENIED
            assert error.details() == "no, naïve 100%"
            expected = status_of(Refusal(Kind.DENIED, "no, naïve 100%", reason=Reason.AGENT_BANNED))
            assert dict(error.trailing_metadata())["grpc-status-details-bin"] == expected.details
            assert await code_of(stub.say(Said(text="bug"))) == grpc.StatusCode.INTERNAL
            assert await code_of(stub.unanswered(Said())) == grpc.StatusCode.UNIMPLEMENTED

    run(scene())


def test_grpcio_is_refused_compression_and_large_messages(path: Path, engine: EngineName) -> None:
    """A compressed request is UNIMPLEMENTED, one over the limit RESOURCE_EXHAUSTED."""

    async def scene() -> None:
        async with echo_server(path, Echo(), engine=engine), grpcio_client(path) as stub:
            compressed = stub.say(Said(body=b"x" * 999), compression=grpc.Compression.Gzip)
            assert await code_of(compressed) == grpc.StatusCode.UNIMPLEMENTED
            large = stub.say(Said(body=b"x" * (4 * 2**20 + 1)))
            assert await code_of(large) == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (await stub.say(Said(text="still here"))).text == "still here"

    run(scene())


def test_grpcio_sets_deadlines_and_cancels(path: Path, engine: EngineName) -> None:
    """A deadline and a cancellation of the client end the handler here."""

    async def scene() -> None:
        echo = Echo()
        async with echo_server(path, echo, engine=engine) as server, grpcio_client(path) as stub:
            late = stub.say_later(Said(), timeout=0.05)
            assert await code_of(late) == grpc.StatusCode.DEADLINE_EXCEEDED
            call = stub.repeat(Said(text="stay", count=1))
            await call.read()
            call.cancel()
            while server.calls or len(echo.cancelled) < 2:
                await settle()
            assert echo.cancelled == ["SayLater", "Repeat"]

    run(scene())


def test_grpcio_sends_metadata(path: Path, engine: EngineName) -> None:
    """Metadata of every kind arrives, also a lot of it within the limit, and not beyond."""

    async def scene() -> None:
        echo = Echo()
        async with echo_server(path, echo, engine=engine), grpcio_client(path) as stub:
            metadata = (("key", "1"), ("key", "2"), ("key-bin", b"\0\xff"), ("big", "x" * 7000))
            await stub.say(Said(text="metadata"), metadata=metadata)
            assert echo.seen == [(("1", "2"), (b"\0\xff",))]
            refused = stub.say(Said(), metadata=(("big", "x" * 100_000),))
            assert await code_of(refused) is not grpc.StatusCode.OK
        assert len(echo.seen) == 1

    run(scene())


def test_grpcio_comes_again_after_a_graceful_end(path: Path, engine: EngineName) -> None:
    """GOAWAY sends a client to the next server; an open stream ends as UNAVAILABLE."""

    async def scene() -> None:
        async with grpcio_client(path) as stub:
            async with echo_server(path, Echo(), engine=engine) as server:
                call = stub.repeat(Said(text="stay", count=1))
                await call.read()
                await server.close(grace=1)
                assert await code_of(call.read()) == grpc.StatusCode.UNAVAILABLE
            async with echo_server(path, Echo(), engine=engine):
                again = await stub.say(Said(text="again"), wait_for_ready=True, timeout=10)
                assert again.text == "again"

    run(scene())


def test_grpcio_checks_health_and_reflects(path: Path, engine: EngineName) -> None:
    """grpcio's own health client and reflection database understand our services (WEP-21)."""

    def judge() -> None:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            checked = stub.Check(health_pb2.HealthCheckRequest(service="a"), timeout=5)
            assert checked.status == health_pb2.HealthCheckResponse.NOT_SERVING
            watched = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=5)
            assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
            watched.cancel()
            database = ProtoReflectionDescriptorDatabase(channel)
            assert "grpc.health.v1.Health" in database.get_services()
            file = database.FindFileContainingSymbol("grpc.health.v1.Health")
            assert [each.name for each in file.service] == ["Health"]

    async def scene() -> None:
        ours = our_health(Watch({"": True, "a": False}))
        server: Server[Any] = Server(
            [ours, *reflection([ours])], identify=lambda transport: "", engine=engine
        )
        await server.listen_unix(path, 0o600)
        await asyncio.to_thread(judge)
        await server.close(grace=0)

    run(scene())


class Servicer(grpc.GenericRpcHandler):
    """The echo service on grpcio."""

    def __init__(self) -> None:
        self.metadata: Any = None

    def service(self, details: Any) -> Any:
        kinds = {
            "/echo.Echo/Say": (grpc.unary_unary_rpc_method_handler, self.say),
            "/echo.Echo/SayLater": (grpc.unary_unary_rpc_method_handler, self.say_later),
            "/echo.Echo/Repeat": (grpc.unary_stream_rpc_method_handler, self.repeat),
            "/echo.Echo/Gather": (grpc.stream_unary_rpc_method_handler, self.gather),
            "/echo.Echo/Converse": (grpc.stream_stream_rpc_method_handler, self.converse),
        }
        found = kinds.get(details.method)
        if found is None:
            return None
        return found[0](found[1], Said.FromString, Said.SerializeToString)

    async def say(self, request: Any, context: Any) -> Any:
        self.metadata = context.invocation_metadata()
        if request.text == "refuse":
            refusal = Refusal(Kind.DENIED, "no, naïve 100%", reason=Reason.AGENT_BANNED)
            details = status_of(refusal).details
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no, naïve 100%")
        return request

    async def say_later(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    async def repeat(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for count in range(request.count):
            yield Said(count=count, body=request.body)

    async def gather(self, requests: Any, context: Any) -> Any:
        return Said(text=",".join([said.text async for said in requests]))

    async def converse(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for said in requests:
            yield said


@contextlib.asynccontextmanager
async def grpcio_server(path: Path, engine: EngineName) -> AsyncIterator[tuple[Channel, Servicer]]:
    server = grpc.aio.server()
    servicer = Servicer()
    server.add_generic_rpc_handlers((servicer,))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    channel = Channel(UnixAddress(path), engine=engine)
    try:
        yield channel, servicer
    finally:
        await channel.close()
        await server.stop(None)


def test_our_client_makes_all_four_kinds_of_calls(path: Path, engine: EngineName) -> None:
    """Our client gets from gRPC's own C core what it should, large bodies included."""

    async def scene() -> None:
        body = b"x" * 100_000
        async with grpcio_server(path, engine) as (channel, _):
            assert (await channel.unary(SAY, Said(body=body * 10), timeout=5)).body == body * 10
            async with channel.stream(REPEAT) as stream:
                await stream.send(Said(count=30, body=body))
                await stream.end()
                assert [said.count async for said in stream] == list(range(30))
            async with channel.stream(GATHER) as stream:
                for text in "abc":
                    await stream.send(Said(text=text))
                await stream.end()
                assert (await stream.receive()).text == "a,b,c"
            async with channel.stream(CONVERSE) as stream:
                for text in "de":
                    await stream.send(Said(text=text))
                    assert (await stream.receive()).text == text
                await stream.end()
                assert await stream.receive() is None

    run(scene())


def test_our_client_reads_refusals(path: Path, engine: EngineName) -> None:
    """Kind, text and reason come out of another server's status; an unknown method too."""

    async def scene() -> None:
        async with grpcio_server(path, engine) as (channel, servicer):
            with pytest.raises(Refusal) as caught:
                await channel.unary(SAY, Said(text="refuse"), timeout=5, metadata=[("k", "v")])
            assert (caught.value.kind, caught.value.detail) == (Kind.DENIED, "no, naïve 100%")
            assert caught.value.reason is Reason.AGENT_BANNED
            assert ("k", "v") in [tuple(each) for each in servicer.metadata]
            check = method(our_health_pb2.DESCRIPTOR.services_by_name["Health"], "Check")
            with pytest.raises(Refusal) as caught:
                await channel.unary(
                    check, our_health_pb2.HealthCheckRequest(service="no"), timeout=5
                )
            assert caught.value.kind is Kind.NOT_FOUND

    run(scene())


def test_our_client_gives_up_in_time(path: Path, engine: EngineName) -> None:
    """A server that does not answer costs no more than the timeout."""

    async def scene() -> None:
        async with grpcio_server(path, engine) as (channel, _):
            with pytest.raises(Refusal) as caught:
                await channel.unary(SAY_LATER, Said(), timeout=0.05)
            assert caught.value.kind is Kind.TIMEOUT
            assert (await channel.unary(SAY, Said(text="x"), timeout=5)).text == "x"

    run(scene())
