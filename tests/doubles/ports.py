"""Every port of both programs, those who use them beside a test, and what the processes hold."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil

from finial.runtime.clock import SystemClock
from finial.wire.tls import client_context
from tests.doubles.nodes import operator_status
from tests.doubles.programs import Up, eventually
from tests.doubles.raw_http2 import Headers, RawClient, raw_client, request_headers
from tests.doubles.workload import fetch_jwt

CLOCK = SystemClock()
GRPC_PORTS = ("workload.sock", "agent.sock", "server.sock", "gRPC port")
ALL_PORTS = (*GRPC_PORTS, "admin.sock", "REST port")
_METHODS = {
    "workload.sock": "/SpiffeWorkloadAPI/FetchJWTBundles",
    "agent.sock": "/finial.operator.v1.Operator/GetStatus",
    "server.sock": "/spire.api.server.bundle.v1.Bundle/GetBundle",
    "gRPC port": "/spire.api.server.bundle.v1.Bundle/GetBundle",
}


@dataclass(frozen=True)
class Port:
    """One port of a running `finial up`."""

    name: str
    where: Path | tuple[str, int]

    @property
    def method(self) -> str:
        """An RPC that everybody may call there who may connect."""
        return _METHODS[self.name]

    def headers(self, path: str | None = None, **changes: str | None) -> Headers:
        """The headers of a good request."""
        more = {"workload.spiffe.io": "true"} if self.name == "workload.sock" else {}
        found = request_headers(path or self.method, **changes)
        return [*found, *more.items()]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[RawClient]:
        """A client of HTTP/2."""
        if isinstance(self.where, Path):
            async with raw_client(self.where) as client:
                yield client
            return
        reader, writer = await self.connect(greets=True)
        client = RawClient(reader, writer)
        client.begin()
        try:
            yield client
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def connect(
        self, *, greets: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A plain connection; with `greets` and over TCP, with TLS."""
        if isinstance(self.where, Path):
            return await asyncio.open_unix_connection(str(self.where))
        if not greets:
            return await asyncio.open_connection(*self.where)
        context = client_context(None, None)
        if self.name == "REST port":
            context.set_alpn_protocols(["http/1.1"])
        return await asyncio.open_connection(*self.where, ssl=context)


def port(world: Up, name: str) -> Port:
    """Find a port by its name."""
    host, _, number = world["grpc_address"].rpartition(":")
    rest = world["rest_address"].rpartition(":")[2]
    places: dict[str, Path | tuple[str, int]] = {
        "workload.sock": Path(world["workload_socket"]),
        "agent.sock": Path(world["agent_socket"]),
        "server.sock": Path(world["server_socket"]),
        "admin.sock": Path(world["admin_socket"]),
        "gRPC port": (host, int(number)),
        "REST port": ("127.0.0.1", int(rest)),
    }
    return Port(name, places[name])


class Bystanders:
    """Somebody at each port who does what they always do; `faults` is what they noticed."""

    def __init__(self, world: Up, away: tuple[str, ...] = ()) -> None:
        self._world = world
        everybody = {
            "workload.sock": self._workload,
            "agent.sock": self._operator,
            "admin.sock": self._administrator,
            "server.sock": self._agent,
        }
        self._acts = [act for name, act in everybody.items() if name not in away]
        self._stop = threading.Event()
        self.rounds = 0
        self.slowest = 0.0
        self.faults: list[str] = []

    @contextlib.contextmanager
    def about(self) -> Iterator["Bystanders"]:
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(30)

    def _work(self) -> None:
        while not self._stop.wait(0.1):
            for act in self._acts:
                begun = CLOCK.monotonic()
                try:
                    act()
                except Exception as fault:
                    self.faults.append(f"{act.__name__}: {fault!r}"[:500])
                self.slowest = max(self.slowest, CLOCK.monotonic() - begun)
            self.rounds += 1

    def _workload(self) -> None:
        assert fetch_jwt(Path(self._world["workload_socket"]), "bystander", 15)

    def _operator(self) -> None:
        assert operator_status(Path(self._world["agent_socket"]))

    def _administrator(self) -> None:
        assert rest(self._world, "GET", "/v1/health/ready").status_code == 200

    def _agent(self) -> None:
        with grpc.insecure_channel(f"unix:{self._world['server_socket']}") as channel:
            ask: Any = channel.unary_unary(_METHODS["server.sock"])
            assert ask(b"", timeout=15)


def rest(world: Up, method: str, path: str, **options: Any) -> httpx.Response:
    """Ask the REST API on the admin socket."""
    transport = httpx.HTTPTransport(uds=world["admin_socket"])
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=30) as client:
        return client.request(method, path, **options)


@dataclass(frozen=True)
class Holdings:
    """What a process holds: descriptors, and memory that is its own in MB."""

    descriptors: int
    memory: float

    @classmethod
    def of(cls, pid: int) -> "Holdings":
        process = psutil.Process(pid)
        return cls(process.num_fds(), process.memory_full_info().pss / 1e6)


@contextlib.contextmanager
def unharmed(
    world: Up, *, megabytes: float = 12.0, away: tuple[str, ...] = ()
) -> Iterator[Bystanders]:
    """Both processes live on as they are, others notice nothing, and what was taken is given back.

    `megabytes` is how much memory may remain taken: interpreters keep some of what they had.
    `away` are ports that nobody else uses meanwhile.
    """
    pids = world["server_pid"], world["agent_pid"]
    before = [Holdings.of(pid) for pid in pids]
    with Bystanders(world, away).about() as bystanders:
        yield bystanders
        eventually(lambda: bystanders.rounds > 1, 30, "bystanders were about")
    assert bystanders.faults == []
    assert bystanders.slowest < 5.0
    for pid, held in zip(pids, before, strict=True):
        assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        eventually(returned(pid, held, megabytes), 20, f"{held} is {Holdings.of(pid)}")


def returned(pid: int, before: Holdings, megabytes: float) -> Callable[[], bool]:
    def look() -> bool:
        now = Holdings.of(pid)
        return now.descriptors <= before.descriptors + 4 and now.memory <= before.memory + megabytes

    return look
