"""From `block` until 1,000 agents refuse it.

    python -m benchmarks.blocking SERVER_SOCKET HOST:PORT ADMIN_SOCKET COUNT BLOCKS

Holds so many agents, each with its own connection and stream, blocks one identity after another,
and prints as JSON how many milliseconds after the request each agent had read the document and
found the identity blocked. All agents share this one process, so that the last of them waits for
all others to be served: the figure is an upper bound.
"""

import asyncio
import json
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvloop

from benchmarks.idle_agents import join
from benchmarks.measures import Bench
from benchmarks.peers import Peer
from finial.blocks import Blocks, decode
from finial.spiffe.identity import SpiffeId
from finial.wire.grpc.client import Channel, TcpAddress, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import follow_pb2
from finial.wire.tls import TlsIdentity, client_context

AGENTS = 1000
BLOCKS = 10
_FOLLOW = follow_pb2.DESCRIPTOR.services_by_name["Follow"]
_PATIENCE = 30.0


@dataclass
class Wave:
    """One block on its way: when it was asked for, and when each agent refused."""

    identity: SpiffeId
    count: int
    began: float = 0.0
    seconds: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self, document: bytes) -> None:
        """One agent was told a document; it refuses when the identity is blocked by it."""
        if Blocks(decode(document)).of_id(self.identity, time.time()) is None:
            return
        self.seconds.append(time.monotonic() - self.began)
        if len(self.seconds) == self.count:
            self.done.set()


@dataclass
class Fleet:
    """Agents that follow, and the block that they wait for."""

    address: TcpAddress
    wave: Wave | None = None

    async def follow(self, identity: TlsIdentity, connected: asyncio.Event) -> None:
        """Hold one stream open, read what is blocked, and say that it is in force."""

        def context() -> ssl.SSLContext:
            return client_context(identity, None)

        channel = Channel(self.address, tls=context)
        async with channel.stream(method(_FOLLOW, "Follow")) as stream:
            hello = follow_pb2.Hello(protocol=1, capabilities=["blocks"])
            await stream.send(follow_pb2.Up(hello=hello))
            async for down in stream:
                if down.changed.topic != "blocks":
                    continue
                connected.set()
                if self.wave is not None:
                    self.wave.arrived(down.changed.document)
                applied = follow_pb2.Applied(topic="blocks", version=down.changed.version)
                await stream.send(follow_pb2.Up(applied=applied))


def blocking(_: Bench, peer: Peer) -> dict[str, float]:
    """From `block` until each of 1,000 agents has read that it is blocked."""
    if peer.name != "finial":
        return {}
    admin_socket = str(Path(peer.server_socket).with_name("admin.sock"))
    where = [peer.server_socket, peer.server_address, admin_socket, str(AGENTS), str(BLOCKS)]
    command = [sys.executable, "-m", "benchmarks.blocking", *where]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(found.stdout)
    return figures


async def main() -> None:
    """Connect all agents, then block."""
    socket, where, admin_socket, count, blocks = sys.argv[1:]
    host, _, port = where.rpartition(":")
    fleet = Fleet(TcpAddress(host, int(port)))
    admin = Channel(UnixAddress(Path(socket)))
    tasks = []
    for _ in range(int(count)):
        connected = asyncio.Event()
        identity = await join(admin, fleet.address)
        tasks.append(asyncio.create_task(fleet.follow(identity, connected)))
        await connected.wait()
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://ca", timeout=60) as client:
        waves = [await _block(client, fleet, number, int(count)) for number in range(int(blocks))]
    seconds = sorted(each for wave in waves for each in wave.seconds)
    last = sorted(max(wave.seconds) for wave in waves)
    print(
        json.dumps(
            {
                "p50 ms": seconds[len(seconds) // 2] * 1000,
                "p99 ms": seconds[len(seconds) * 99 // 100] * 1000,
                "last agent ms": last[len(last) // 2] * 1000,
            }
        )
    )


async def _block(client: httpx.AsyncClient, fleet: Fleet, number: int, count: int) -> Wave:
    identity = SpiffeId.parse(f"spiffe://example.org/bench/blocked/{number}")
    entry = {
        "spiffe_id": str(identity),
        "parent_id": "spiffe://example.org/spire/agent/bench/blocked",
        "selectors": [f"unix:uid:{number}"],
    }
    (await client.post("/v1/entries", json=entry)).raise_for_status()
    wave = fleet.wave = Wave(identity, count)
    wave.began = time.monotonic()
    wish = {"subject": str(identity), "reason": "benchmark"}
    (await client.post("/v1/blocks", json=wish)).raise_for_status()
    async with asyncio.timeout(_PATIENCE):
        await wave.done.wait()
    return wave


if __name__ == "__main__":
    uvloop.run(main())
