"""A whole server in this process: standing clock, keys in memory, a database in a folder.

Callers come over Unix sockets, one socket for each kind of caller, whose path says who they are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ca import settings, tasks
from ca.api.grpc.caller import Guard
from ca.api.grpc.peer import LocalPeer, Peer, RemotePeer
from ca.assemble.listen import grpc_services
from ca.assemble.make_world import make_world
from ca.datastore.datastore import Datastore
from ca.events.happened import SYSTEM
from ca.events.journal import Journal
from ca.operations.administration.administer_tokens import create_join_token
from ca.operations.world import World
from finial.spiffe.identity import SpiffeId
from finial.spiffe.x509_svid import X509Svid
from finial.wire.convert import spiffe_id_message, x509_svid_from
from finial.wire.grpc.client import Channel, Stream, UnixAddress
from finial.wire.grpc.method import Method, method
from finial.wire.grpc.server import Server
from finial.wire.pb import agent_pb2, bundle_pb2, entry_pb2, follow_pb2, svid_pb2, types_pb2
from tests.doubles.clock import StandingClock
from tests.doubles.entropy import RepeatingEntropy

LOCAL = LocalPeer(pid=1, uid=0, gid=0)
ANYONE = RemotePeer("192.0.2.1")
_PBS = (agent_pb2, bundle_pb2, entry_pb2, svid_pb2, follow_pb2)
METHODS: Mapping[str, Method] = {
    f"{service.name}.{rpc.name}": method(service, rpc.name)
    for pb in _PBS
    for service in pb.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
}


class Client:
    """One caller's channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def call(self, name: str, request: Any = None, timeout: float = 5.0) -> Any:
        """Call a unary RPC, such as `Agent.GetAgent`."""
        found = METHODS[name]
        return await self.channel.unary(
            found, found.request() if request is None else request, timeout=timeout
        )

    def stream(self, name: str) -> Stream:
        """Call an RPC of any shape."""
        return self.channel.stream(METHODS[name])


@dataclass
class Audit:
    """Keeps records in memory, or has no room for them."""

    records: list[Mapping[str, object]] = field(default_factory=list)
    is_full: bool = False

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.records.extend(records)

    def check_room(self) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")

    def kinds(self) -> list[object]:
        return [record["kind"] for record in self.records]


@dataclass
class Agent:
    """An agent that has attested: its key, its SVID, and a client that shows it."""

    id: SpiffeId
    key: ec.EllipticCurvePrivateKey
    svid: X509Svid
    client: Client


@dataclass
class House:
    """The server and the doors to it."""

    folder: Path
    world: World
    server: Server[Peer]
    peers: dict[str, Peer]
    clock: StandingClock
    audit: Audit
    channels: list[Channel] = field(default_factory=list)

    async def door(self, peer: Peer) -> Client:
        """Open a socket for a caller of this kind, and a channel to it."""
        path = self.folder / f"{len(self.peers)}.sock"
        self.peers[str(path)] = peer
        await self.server.listen_unix(path, 0o600)
        channel = Channel(UnixAddress(path), clock=self.clock)
        self.channels.append(channel)
        return Client(channel)

    async def local(self) -> Client:
        return await self.door(LOCAL)

    async def anyone(self) -> Client:
        return await self.door(ANYONE)

    async def show(self, svid: X509Svid, address: str = "192.0.2.9") -> Client:
        """Open a door for whoever has this SVID."""
        return await self.door(RemotePeer(address, svid.id, str(svid.serial), svid.not_after))

    async def join(self, *, text: str = "", alias: SpiffeId | None = None) -> Agent:
        """Have an agent join by a new token."""
        made = await create_join_token(self.world, SYSTEM, 600, text=text, alias=alias)
        return await self.attest("join_token", made.text.encode())

    async def attest(
        self, kind: str, payload: bytes, key: ec.EllipticCurvePrivateKey | None = None
    ) -> Agent:
        """Attest without a challenge."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        client = await self.anyone()
        async with client.stream("Agent.AttestAgent") as stream:
            await stream.send(attest_request(kind, payload, csr(key)))
            answer = await stream.receive()
            assert await stream.receive() is None
        svid = x509_svid_from(answer.result.svid)
        return Agent(svid.id, key, svid, await self.show(svid))

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close()
        await self.server.close(0.1)


@asynccontextmanager
async def house(
    folder: Path, clock: StandingClock | None = None, **server_settings: Any
) -> AsyncIterator[House]:
    """Run a server whose limits are off unless a test names them; `oidc` and `status_hook` are tables."""
    table = {
        "trust_domain": "example.org",
        "data_dir": str(folder / "D"),
        "bind_address": "127.0.0.1",
        "ratelimit": {"attestation": 0, "bootstrap": 0, "signing": 0, "renewal": 0, "status": 0},
    } | server_settings
    plugins = table.pop("plugins", {"node_attestor": {"join_token": {}}})
    further = {name: table.pop(name) for name in ("oidc", "status_hook") if name in table}
    configured = settings.read(
        {"server": table, "plugins": {"key_manager": {"memory": {}}, **plugins}, **further}
    )
    clock, entropy, audit = clock or StandingClock(), RepeatingEntropy(), Audit()
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{folder}/ca.sqlite"
        journal = Journal(audit, clock)
        datastore = await Datastore.open(url, clock, configured.server.domain, journal.check)
        stack.push_async_callback(datastore.close)
        world = await make_world(
            configured,
            "server-1",
            clock=clock,
            entropy=entropy,
            datastore=datastore,
            journal=journal,
        )
        following = asyncio.ensure_future(world.follower.run())
        beating = asyncio.ensure_future(tasks.heartbeat(world))
        stack.callback(following.cancel)
        stack.callback(beating.cancel)
        peers: dict[str, Peer] = {}
        server: Server[Peer] = Server(
            grpc_services(world),
            identify=lambda transport: peers[transport.get_extra_info("sockname")],
            guard=Guard(world),
            clock=clock,
        )
        built = House(folder, world, server, peers, clock, audit)
        stack.push_async_callback(built.close)
        yield built


def csr(key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A CSR as SPIRE's agents send it, in DER."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "SPIRE"),
        ]
    )
    built = x509.CertificateSigningRequestBuilder().subject_name(name)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def attest_request(kind: str, payload: bytes, der: bytes) -> agent_pb2.AttestAgentRequest:
    return agent_pb2.AttestAgentRequest(
        params=agent_pb2.AttestAgentRequest.Params(
            data=types_pb2.AttestationData(type=kind, payload=payload),
            params=agent_pb2.AgentX509SVIDParams(csr=der),
        )
    )


def entry_for(parent: SpiffeId, path: str, *selectors: str, **members: Any) -> types_pb2.Entry:
    """An entry as an administrator sends it."""
    found = [each.partition(":") for each in selectors or (f"unix:user:{path.strip('/')}",)]
    return types_pb2.Entry(
        spiffe_id=types_pb2.SPIFFEID(trust_domain="example.org", path=path),
        parent_id=spiffe_id_message(parent),
        selectors=[types_pb2.Selector(type=kind, value=value) for kind, _, value in found],
        **members,
    )


async def register(client: Client, *entries: types_pb2.Entry) -> list[types_pb2.Entry]:
    """Create entries and return them as they are stored."""
    request = entry_pb2.BatchCreateEntryRequest(entries=entries)
    response = await client.call("Entry.BatchCreateEntry", request)
    assert [result.status.code for result in response.results] == [0] * len(entries)
    return [result.entry for result in response.results]


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
