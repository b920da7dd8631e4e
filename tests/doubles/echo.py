"""A service with all four kinds of RPC, and a server of it for the tests of the wire."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import Service, service
from finial.wire.http2.engine import EngineName

_FILE = descriptor_pb2.FileDescriptorProto(name="echo.proto", package="echo", syntax="proto3")
_message = _FILE.message_type.add(name="Said")
for _number, (_name, _type) in enumerate((("text", 9), ("body", 12), ("count", 5)), start=1):
    _message.field.add(name=_name, number=_number, type=_type, label=1)
_service = _FILE.service.add(name="Echo")
for _name, _client, _server in (
    ("Say", False, False),
    ("SayLater", False, False),
    ("Repeat", False, True),
    ("Gather", True, False),
    ("Converse", True, True),
    ("Unanswered", False, False),
):
    _service.method.add(
        name=_name,
        input_type=".echo.Said",
        output_type=".echo.Said",
        client_streaming=_client,
        server_streaming=_server,
    )

POOL = descriptor_pool.DescriptorPool()
POOL.AddSerializedFile(_FILE.SerializeToString())
ECHO = POOL.FindServiceByName("echo.Echo")
Said: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("echo.Said"))

SAY, SAY_LATER, REPEAT = (method(ECHO, name) for name in ("Say", "SayLater", "Repeat"))
GATHER, CONVERSE, UNANSWERED = (method(ECHO, name) for name in ("Gather", "Converse", "Unanswered"))

REFUSALS = {
    "refuse": Refusal(Kind.DENIED, "no, naïve 100%", reason=Reason.AGENT_BANNED),
    "missing": Refusal(Kind.NOT_FOUND, "nothing here"),
}


class Echo:
    """Answers what it is told; remembers what became of its handlers."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.seen: list[Any] = []
        self.go_on = asyncio.Event()

    def service(self) -> Service:
        return service(
            ECHO,
            {
                "Say": self.say,
                "SayLater": self.say_later,
                "Repeat": self.repeat,
                "Gather": self.gather,
                "Converse": self.converse,
            },
        )

    def say(self, call: Any, request: Any) -> Any:
        if request.text in REFUSALS:
            raise REFUSALS[request.text]
        if request.text == "bug":
            raise ValueError("a secret of ours")
        if request.text == "metadata":
            values = call.metadata.get_all("key"), call.metadata.get_all_binary("key-bin")
            self.seen.append(values)
        return Said(text=request.text, body=request.body * (request.count or 1))

    async def say_later(self, call: Any, request: Any) -> Any:
        with self._noting("SayLater"):
            await self.go_on.wait()
        return self.say(call, request)

    async def repeat(self, call: Any, request: Any) -> None:
        with self._noting("Repeat"):
            for count in range(request.count):
                await call.send(Said(text=request.text, body=request.body, count=count))
                self.seen.append(count)
            if request.text in REFUSALS:
                raise REFUSALS[request.text]
            if request.text == "stay":
                await self.go_on.wait()

    async def gather(self, call: Any) -> None:
        with self._noting("Gather"):
            texts = [said.text async for said in call]
        await call.send(Said(text=",".join(texts)))

    async def converse(self, call: Any) -> None:
        with self._noting("Converse"):
            async for said in call:
                self.seen.append(said.text)
                if said.text in REFUSALS:
                    raise REFUSALS[said.text]
                if said.text == "wait":
                    await self.go_on.wait()
                if said.text == "end":
                    break
                await call.send(Said(text=said.text))

    @contextlib.contextmanager
    def _noting(self, name: str) -> Any:
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise


@contextlib.asynccontextmanager
async def echo_server(path: Path, echo: Echo, **settings: Any) -> AsyncIterator[Server[Any]]:
    """Serve `echo` on a Unix socket; everybody is "somebody" unless `identify` is given."""
    settings.setdefault("identify", lambda transport: "somebody")
    server: Server[Any] = Server([echo.service()], **settings)
    await server.listen_unix(path, 0o600)
    try:
        yield server
    finally:
        await server.close(grace=0)


@contextlib.asynccontextmanager
async def channel_to(path: Path, engine: EngineName, **settings: Any) -> AsyncIterator[Channel]:
    """A channel to the server at this Unix socket, closed at the end."""
    channel = Channel(UnixAddress(path), engine=engine, **settings)
    try:
        yield channel
    finally:
        await channel.close()
