"""What the gRPC layer costs by itself: a bare echo, CPU of the server process alone.

python -m benchmarks.grpc_floor [--engine ngh2|h2] [--loop asyncio|uvloop] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ngh2

from finial.wire.grpc.limits import Limits
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from tests.doubles.echo import Echo

BODY = b"x" * 1200


def serve(path: Path, engine: str, loop: str, control: Connection) -> None:
    async def main() -> None:
        server: Server[Any] = Server(
            [Echo().service()],
            identify=lambda transport: transport.get_extra_info("socket").fileno(),
            limits=Limits(max_connections_per_key=100_000),
            engine=EngineName(engine),
        )
        await server.listen_unix(path, 0o600)
        control.send("ready")
        running = asyncio.get_running_loop()
        while (await running.run_in_executor(None, control.recv)) == "measure":
            control.send((cpu(), memory()))
        await server.close(grace=0)

    if loop == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


class Client:
    """As little as a client can be: requests made before, answers not looked into."""

    def __init__(self, path: Path, method: str, **said: Any) -> None:
        from tests.doubles.echo import Said

        payload = Said(**said).SerializeToString()
        self.path = path
        self.body = b"\0" + len(payload).to_bytes(4, "big") + payload
        self.headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", f"/echo.Echo/{method}".encode()),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"bench"),
            (b"workload.spiffe.io", b"true"),
        ]

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_unix_connection(str(self.path))
        self.http2 = ngh2.Connection(ngh2.Role.CLIENT)
        self.http2.initiate_connection({ngh2.Setting.ENABLE_PUSH: 0})

    async def call(self, until: type) -> None:
        stream = self.http2.send_request(self.headers)
        self.http2.send_data(stream, self.body, end_stream=True)
        while True:
            self.writer.write(self.http2.data_to_send())
            received = await self.reader.read(65536)
            assert received, "the server closed the connection"
            self.http2.receive_data(received)
            if any(isinstance(event, until) for event in self.http2.events()):
                break

    def close(self) -> None:
        self.writer.close()


async def unary(path: Path, count: int) -> None:
    client = Client(path, "Say", body=BODY)
    await client.connect()
    for _ in range(count):
        await client.call(ngh2.TrailersReceived)
    client.close()


async def new_connections(path: Path, count: int) -> None:
    for _ in range(count):
        client = Client(path, "Repeat", text="stay", count=1, body=BODY)
        await client.connect()
        await client.call(ngh2.DataReceived)
        client.close()


async def open_streams(path: Path, count: int, measure: Callable[[], Any]) -> Any:
    clients = [Client(path, "Repeat", text="stay", count=1, body=BODY) for _ in range(count)]
    for client in clients:
        await client.connect()
        await client.call(ngh2.DataReceived)
    measured = measure()
    for client in clients:
        client.close()
    return measured


def measured(engine: str, loop: str, count: int) -> dict[str, float]:
    """CPU in microseconds of a unary call and of a new connection, memory in MiB and KiB."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "floor.sock")
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        server = context.Process(target=serve, args=(path, engine, loop, theirs))
        server.start()
        ours.recv()

        def measure() -> tuple[float, int]:
            ours.send("measure")
            return ours.recv()  # type: ignore[no-any-return]

        def timed(work: Callable[[Path, int], Coroutine[Any, Any, None]]) -> float:
            asyncio.run(work(path, 200))
            before = measure()[0]
            asyncio.run(work(path, count))
            return (measure()[0] - before) / count * 1e6

        found = {"unary": timed(unary), "connection": timed(new_connections)}
        idle = measure()[1]
        held = asyncio.run(open_streams(path, 1000, measure))[1]
        ours.send("stop")
        server.join()
        return {**found, "idle": idle / 2**20, "stream": (held - idle) / 1000 / 1024}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--engine", default="ngh2", choices=["ngh2", "h2"])
    arguments.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    arguments.add_argument("--count", type=int, default=4000)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    found = measured(chosen.engine, chosen.loop, chosen.count)
    if chosen.json:
        print(json.dumps(found))
        return
    print(f"engine {chosen.engine}, loop {chosen.loop}, {os.cpu_count()} cores")
    print(f"{'unary call, plain function':40} {found['unary']:8.0f} us of CPU")
    print(f"{'new connection to first message':40} {found['connection']:8.0f} us of CPU")
    print(f"{'memory idle':40} {found['idle']:8.1f} MiB")
    print(f"{'memory of an open stream, of 1,000':40} {found['stream']:8.1f} KiB")


if __name__ == "__main__":
    main()
