"""The agent's two sockets: the workloads' and the operators'."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agent.api.call_records import CallRecords
from agent.api.ext_authz.deciding import Deciding
from agent.api.ext_authz.http_socket import HttpSocket
from agent.api.gate import Gate
from agent.attestation.attempt import Caller
from agent.events.measures import Measures
from agent.settings import Agent
from finial.runtime.clock import Clock
from finial.runtime.files import UnsafePath, guarded_directory, owned_directory
from finial.runtime.peer import KernelPeer, PeerGone, credentials
from finial.runtime.process import room_for_connections
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call
from finial.wire.grpc.health import health
from finial.wire.grpc.limits import Limits
from finial.wire.grpc.reflection import reflection
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import Service
from finial.wire.status import Code

WORKLOAD: Final = "workload"
OPERATOR: Final = "operator"
EXT_AUTHZ: Final = "ext_authz"
NONE_ACTIVATED: Final[Mapping[str, socket.socket]] = MappingProxyType({})
WORKLOAD_MODE: Final = 0o777
OPERATOR_MODE: Final = 0o666
MAX_MESSAGE: Final = 64 * 1024
MAX_WORKLOAD_MESSAGE: Final = 256 * 1024
"""An Envoy lists its extensions in its first request: 60 KB, without its own configuration."""
MAX_HELD: Final = 4 * 1024 * 1024
"""Bytes of unread requests that all calls of one uid may hold."""
OPERATORS: Final = Limits(
    max_message=MAX_MESSAGE,
    max_streams=8,
    max_connections=1024,
    max_connections_per_key=64,
    max_held_per_key=MAX_HELD,
)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Both servers; closing them ends streams with Unavailable (WAPI-08)."""

    workload: Server[KernelPeer]
    operators: Server[KernelPeer]
    gate: Gate
    http: HttpSocket | None = None

    async def listen(
        self, settings: Agent, activated: Mapping[str, socket.socket] = NONE_ACTIVATED
    ) -> None:
        """Open the sockets, the workloads' in a folder that holds nothing else.

        Those that the service manager has `activated` are taken as they are.

        Raises: Refusal of kind PRECONDITION (an unsafe folder), EXISTS (another agent).
        """
        _make_folder(settings.workload_socket.parent, is_ours=WORKLOAD not in activated)
        for server, name, path, mode in (
            (self.workload, WORKLOAD, settings.workload_socket, WORKLOAD_MODE),
            (self.operators, OPERATOR, settings.admin_socket, OPERATOR_MODE),
        ):
            passed = activated.get(name)
            if passed is None:
                await server.listen_unix(path, mode)
            else:
                await server.listen_on(passed)
        if self.http is not None:
            await self.http.listen(activated.get(EXT_AUTHZ))

    async def close(self, grace: float) -> None:
        """Close both; unary calls get so many seconds."""
        if self.http is not None:
            await self.http.close()
        await asyncio.gather(self.workload.close(grace), self.operators.close(grace))


def make_listeners(
    settings: Agent,
    workload_services: Sequence[Service],
    operator: Service,
    serving: Watch[Mapping[str, bool]],
    *,
    gate: Gate,
    deciding: Deciding,
    records: CallRecords,
    measures: Measures,
    clock: Clock,
) -> Listeners:
    """Make both servers; who calls is known from the kernel at accept (WEP-12 to WEP-14)."""

    def finished(call: Call[KernelPeer], code: Code, seconds: float) -> None:
        gate.finished(call)
        measures.called(call.method, code, seconds)

    def release(peer: KernelPeer) -> None:
        deciding.proxies.forget(peer)
        peer.close()

    def identified(transport: asyncio.BaseTransport) -> KernelPeer:
        return identify(transport, records.unseen)

    described = [*workload_services, health(serving)]
    workload = Server(
        [*described, *reflection(described)],
        identify=identified,
        release=release,
        guard=gate.guard,
        limits=_limits(settings),
        finished=finished,
        clock=clock,
        connection_key=lambda peer: peer.uid,
    )
    local = [operator, health(serving)]
    operators = Server(
        [*local, *reflection(local)],
        identify=identify,
        release=KernelPeer.close,
        limits=OPERATORS,
        clock=clock,
        connection_key=lambda peer: peer.uid,
    )
    path = settings.ext_authz.http_socket_path
    per_uid = settings.connections_per_uid
    http = HttpSocket(path, deciding, identified, per_uid) if path is not None else None
    return Listeners(workload, operators, gate, http)


def identify(
    transport: asyncio.BaseTransport, unseen: Callable[[Caller, str], None] | None = None
) -> KernelPeer:
    """Ask the kernel who connected, once, at accept; `unseen` is told of who cannot be seen.

    Raises: Refusal of kind UNAUTHENTICATED (gone already), EXHAUSTED (no more descriptors).
    """
    connected = transport.get_extra_info("socket")
    try:
        return KernelPeer.of(connected)
    except PeerGone as gone:
        if unseen is not None:
            unseen(Caller(*credentials(connected)), str(gone))
        raise Refusal(Kind.UNAUTHENTICATED, str(gone)) from gone
    except OSError as error:
        raise Refusal(Kind.EXHAUSTED, f"the caller cannot be identified: {error}") from error


def _limits(settings: Agent) -> Limits:
    return Limits(
        max_message=MAX_WORKLOAD_MESSAGE,
        max_streams=settings.streams_per_connection,
        max_connections_per_key=settings.connections_per_uid,
        max_connections=room_for_connections(cost=2),
        max_held_per_key=MAX_HELD,
    )


def _make_folder(path: Path, *, is_ours: bool) -> None:
    try:
        if is_ours:
            owned_directory(path)
        else:
            guarded_directory(path)
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.PRECONDITION,
            f"the folder {path} of the workloads' socket {unsafe.fault}",
            field="socket_path",
            value=str(path),
            remedy=unsafe.remedy,
        ) from unsafe
    except OSError as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the folder {path} of the workloads' socket cannot be made: {error.strerror}",
            field="socket_path",
            value=str(path),
        ) from error
