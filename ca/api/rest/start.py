"""Starts the REST API: on its Unix socket, and over HTTPS where a port is configured."""

from collections.abc import Callable
from dataclasses import dataclass

from ca.api.rest.application import application
from ca.api.rest.https import https_context
from ca.api.rest.listener import Listener
from ca.api.rest.routes.watching import Vitals
from ca.operations.world import World
from finial.wire.tls import TlsIdentity


@dataclass(frozen=True, slots=True)
class RestApi:
    """The running REST API; `https` is its address, if it listens for HTTPS."""

    listener: Listener
    https: tuple[str, int] | None

    async def close(self, grace: float) -> None:
        """Stop listening and let running requests end within `grace` seconds."""
        await self.listener.close(grace)


async def start(world: World, vitals: Vitals, own: Callable[[], TlsIdentity]) -> RestApi:
    """Begin to listen; `own` gives the server's own certificate with DNS names, for HTTPS.

    Raises: Refusal of kind PRECONDITION, OSError.
    """
    server = world.settings.server
    listener = Listener(application(world, vitals), world.clock)
    await listener.listen_unix(server.admin_socket)
    if server.rest.bind_port is None:
        return RestApi(listener, None)
    tls = https_context(server.rest, own)
    address = await listener.listen_tls(server.rest.bind_address, server.rest.bind_port, tls)
    return RestApi(listener, address)
