"""The server's gRPC listeners: TCP with TLS for agents, a Unix socket for local administrators."""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ca.api.grpc.agent import AgentService
from ca.api.grpc.bundle import BundleService
from ca.api.grpc.caller import Guard, ServerCall
from ca.api.grpc.entry import EntryService
from ca.api.grpc.follow import bootstrap_service, follow_service
from ca.api.grpc.peer import LocalPeer, Peer, RemotePeer, identify
from ca.api.grpc.rate_limits import Gates
from ca.api.grpc.refusals import audited
from ca.api.grpc.svid import SvidService
from ca.events.measures import Measures
from ca.operations.server_identity import ServerIdentity
from ca.operations.world import World
from finial.runtime.process import room_for_connections
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId
from finial.wire.grpc.health import health
from finial.wire.grpc.limits import Allowance, Limits
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import Service
from finial.wire.status import Code
from finial.wire.tls import server_context

LAST_WORDS: Final = 1.0
"""Seconds in which a connection that will be closed can still say why."""

MOST_CONNECTIONS: Final = 20_000
STRANGERS: Final = Allowance(connections=512, message=288 * 1024, held=8 * 1024 * 1024)
"""What those of one address without a certificate may take; a node's evidence fits into it."""


@dataclass(frozen=True, slots=True)
class GrpcListeners:
    """Both gRPC servers; `address` is where agents connect."""

    agents: Server[Peer]
    local: Server[Peer]
    address: tuple[str, int]

    def close_connections(self, predicate: Callable[[Peer], bool]) -> None:
        """End the connections of agents that the predicate names."""
        self.agents.close_connections(predicate)

    async def close(self, grace: float) -> None:
        """End streams with Unavailable and give calls so many seconds to finish."""
        await self.agents.close(grace)
        await self.local.close(grace)


async def listen(
    world: World,
    identity: Watch[ServerIdentity],
    serving: Watch[Mapping[str, bool]],
    measures: Measures,
) -> GrpcListeners:
    """Begin to serve gRPC.

    Raises: Refusal of kind EXISTS; OSError when the address is taken.
    """
    server = world.settings.server
    services = grpc_services(world)
    agents = _server(world, services, measures)
    local = _server(world, (*services, health(serving)), measures)

    def trust() -> Sequence[Bundle]:
        return (world.known.bundle.value, *world.known.federated.value.values())

    tls = server_context(lambda: identity.value.tls, trust)
    address = await agents.listen_tcp(server.bind_address, server.bind_port, tls)
    world.known.port = address[1]
    await local.listen_unix(server.server_socket, 0o660)
    world.follower.on_cast_out(partial(_close_soon, agents))
    return GrpcListeners(agents, local, address)


def grpc_services(world: World) -> tuple[Service, ...]:
    """Every service that agents and administrators may call."""
    gates = Gates(world.settings.server.ratelimit, world.clock)
    services = (
        AgentService(world, gates).service(),
        BundleService(world).service(),
        EntryService(world).service(),
        SvidService(world, gates).service(),
        follow_service(world),
        bootstrap_service(world, gates),
    )
    return tuple(audited(world, each) for each in services)


def _server(world: World, services: Sequence[Service], measures: Measures) -> Server[Peer]:
    def finished(call: ServerCall, code: Code, seconds: float) -> None:
        measures.called(call.method, code.name, seconds)

    limits = Limits(
        max_connections=min(MOST_CONNECTIONS, room_for_connections(cost=1)),
        max_connections_per_key=world.settings.server.connections_per_address,
    )
    return Server(
        services,
        identify=identify,
        guard=Guard(world),
        limits=limits,
        finished=finished,
        clock=world.clock,
        connection_key=_key,
        allowance=lambda peer: STRANGERS if _is_stranger(peer) else limits.allowance,
    )


def _close_soon(server: Server[Peer], outcasts: frozenset[SpiffeId]) -> None:
    """Close the connections of agents that were banned or evicted, once they could be told so."""

    def close() -> None:
        server.close_connections(lambda peer: isinstance(peer, RemotePeer) and peer.id in outcasts)

    asyncio.get_running_loop().call_later(LAST_WORDS, close)


def _key(peer: Peer) -> Hashable:
    if isinstance(peer, LocalPeer):
        return "local"
    # Apart, so that strangers take nothing away from the agents behind the same address.
    return peer.id is None, peer.network


def _is_stranger(peer: Peer) -> bool:
    return isinstance(peer, RemotePeer) and peer.id is None
