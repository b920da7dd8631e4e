"""An agent in this process: real sockets, a standing clock, and a scripted server beside it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import settings
from agent.assemble.ground import prepare_directories
from agent.assemble.make_agent import Parts, make_agent
from agent.assemble.serve import start_tasks
from agent.events.happened import Event
from agent.events.journal import Journal
from agent.events.measures import Measures
from finial.runtime.clock import SystemClock
from finial.runtime.reporting.metrics import Metrics
from finial.runtime.supervision import Supervisor
from finial.wire.grpc.client import Channel, Stream, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.join_string import JoinString
from finial.wire.pb import operator_pb2, workload_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.clock import StandingClock, settle
from tests.doubles.entropy import RepeatingEntropy
from tests.doubles.scripted_server import DOMAIN, ScriptedServer

HEADER = (("workload.spiffe.io", "true"),)
WORKLOAD_API = workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"]
OPERATOR = operator_pb2.DESCRIPTOR.services_by_name["Operator"]
PATIENCE = 15.0


@dataclass
class Records:
    """An audit log that can be full."""

    written: list[Mapping[str, object]] = field(default_factory=list)
    is_full: bool = False

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.written.extend(records)

    def check_room(self) -> None:
        """It is said when something is written."""

    def named(self, kind: str) -> list[Mapping[str, object]]:
        return [each for each in self.written if each["kind"] == kind]


@dataclass
class RunningAgent:
    """The agent and a workload's way to it."""

    parts: Parts
    standing: "asyncio.Task[None]"
    records: Records
    events: list[Event]
    workload: Channel
    operators: Channel

    async def call(self, name: str, request: Any, metadata: Any = HEADER) -> Any:
        """Call a unary RPC of the Workload API."""
        found = method(WORKLOAD_API, name)
        return await self.workload.unary(found, request, timeout=PATIENCE, metadata=metadata)

    def stream(self, name: str, metadata: Any = HEADER) -> Stream:
        return self.workload.stream(method(WORKLOAD_API, name), metadata=metadata)

    @asynccontextmanager
    async def open(self, name: str = "FetchX509SVID") -> AsyncIterator[Stream]:
        """Open a stream of the Workload API."""
        found = method(WORKLOAD_API, name)
        async with self.stream(name) as stream:
            await stream.send(found.request())
            await stream.end()
            yield stream

    async def fetch(self, name: str = "FetchX509SVID") -> Any:
        """The first answer of a stream."""
        async with self.open(name) as stream:
            return await soon(stream.receive())

    async def status(self) -> operator_pb2.Status:
        found = method(OPERATOR, "GetStatus")
        status: operator_pb2.Status = await self.operators.unary(
            found, found.request(), timeout=PATIENCE
        )
        return status


@dataclass
class Scene:
    """A clock, a server and the folder of an agent that may be started again and again."""

    folder: Path
    clock: StandingClock
    server: ScriptedServer

    @asynccontextmanager
    async def agent(self, *, synced: bool = True, **changes: Any) -> AsyncIterator[RunningAgent]:
        """Run an agent by x509pop, unless `changes` of its settings say otherwise."""
        plugins = changes.pop("plugins", self.x509pop())
        table = {
            "trust_domain": DOMAIN.name,
            "server_address": self.server.address,
            "data_dir": str(self.folder / "d"),
            "trust_bundle_path": str(self.folder / "bundle.pem"),
            **changes,
        }
        given = {key: value for key, value in table.items() if value is not None}
        configured = settings.read({"agent": given, "plugins": plugins})
        prepare_directories(configured.agent)
        records, events = Records(), list[Event]()
        measures = Measures(Metrics("agent"))
        entropy = RepeatingEntropy()
        parts = await make_agent(
            configured,
            journal=Journal(records, self.clock, [measures.observe, events.append]),
            measures=measures,
            clock=self.clock,
            entropy=entropy,
            version="0.0.1",
        )
        await parts.listeners.listen(configured.agent)
        supervisor = Supervisor(self.clock, entropy)
        start_tasks(parts, supervisor)
        standing = asyncio.ensure_future(parts.tasks.keep_standing())
        workload = Channel(UnixAddress(configured.agent.workload_socket), clock=self.clock)
        operators = Channel(UnixAddress(configured.agent.admin_socket), clock=self.clock)
        running = RunningAgent(parts, standing, records, events, workload, operators)
        try:
            if synced:
                await until(lambda: standing.done() or self._is_synced(parts))
                if standing.done():
                    await standing
                # Whoever paces what is published may be asleep after a busy beginning.
                await self.pass_time(1)
            yield running
        finally:
            await workload.close()
            await operators.close()
            standing.cancel()
            await supervisor.end()
            await parts.listeners.close(0.1)
            await parts.tasks.servers.close()
            await asyncio.gather(standing, return_exceptions=True)

    def _is_synced(self, parts: Parts) -> bool:
        followed = self.server.followers > 0 or not self.server.has_stream
        return followed and parts.tasks.link.last_sync > 0

    def x509pop(self) -> dict[str, Any]:
        """Evidence by a node certificate; the scripted server asks nothing about it."""
        node = SmallCa(now=self.server.ca.now).leaf(["spiffe://example.org/node"])
        (self.folder / "node.pem").write_bytes(node.chain_pem)
        (self.folder / "node.key").write_bytes(node.key_pem)
        paths = {
            "certificate_path": str(self.folder / "node.pem"),
            "private_key_path": str(self.folder / "node.key"),
        }
        return {"node_attestor": {"x509pop": paths}}

    def join_file(self, token: str = "join-token-of-a-test") -> dict[str, Any]:
        """Settings of an agent that joins by a join string."""
        self.server.reattestable = False
        self.server.tokens.add(token)
        text = JoinString(DOMAIN, (self.server.address,), token).render()
        (self.folder / "join").write_text(text)
        return {
            "join_file": str(self.folder / "join"),
            "trust_bundle_path": None,
            "trust_domain": "",
            "server_address": "",
            "plugins": {},
        }

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and whoever was woken by it reach the next wait."""
        await settle(50)  # who is about to sleep begins before time passes
        await self.clock.pass_time(seconds)
        await settle(50)


@asynccontextmanager
async def scene(**script: Any) -> AsyncIterator[Scene]:
    """A folder with a short name, because a socket's path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="finial-"))
    clock = StandingClock(wall=SystemClock().now())
    server = ScriptedServer(clock, SmallCa(now=clock.now()), **script)
    try:
        await server.start()
        (folder / "bundle.pem").write_bytes(server.ca.pem)
        yield Scene(folder, clock, server)
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)  # a thread may still be writing


async def soon(waiting: Any) -> Any:
    """Wait for what has to come in no time; a test that waits in vain fails by this."""
    async with asyncio.timeout(PATIENCE):
        return await waiting


async def until(condition: Callable[[], bool]) -> None:
    """Let everything run until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody tells when it holds
            await asyncio.sleep(0.001)  # noqa: TID251 - real sockets need real moments


async def until_in_time(scene: Scene, condition: Callable[[], bool], step: float = 1.0) -> None:
    """Let time pass until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await scene.pass_time(step)
            await asyncio.sleep(0.005)  # noqa: TID251 - real sockets need real moments


async def never(stream: Stream, within: float = 0.1) -> None:
    """Make sure that nothing comes on a stream for a moment."""
    receiving = asyncio.ensure_future(stream.receive())
    done, _ = await asyncio.wait({receiving}, timeout=within)
    if not done:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    assert not done, f"something came: {receiving.result()}"
