"""Starts the REST API: on its Unix socket, and over HTTPS where a port is configured."""

import ssl
from dataclasses import dataclass

from ca.api.rest.application import application
from ca.api.rest.listener import Listener
from ca.api.rest.routes.watching import Vitals
from ca.operations.world import World


@dataclass(frozen=True, slots=True)
class RestApi:
    """The running REST API; `https` is its address, if it listens for HTTPS."""

    listener: Listener
    https: tuple[str, int] | None

    async def close(self, grace: float) -> None:
        """Stop listening and let running requests end within `grace` seconds."""
        await self.listener.close(grace)


async def start(world: World, vitals: Vitals, tls: ssl.SSLContext | None) -> RestApi:
    """Begin to listen; `tls` is needed where the settings name a port for HTTPS."""
    server = world.settings.server
    listener = Listener(application(world, vitals))
    await listener.listen_unix(server.admin_socket)
    if server.rest.bind_port is None or tls is None:
        return RestApi(listener, None)
    address = await listener.listen_tls(server.rest.bind_address, server.rest.bind_port, tls)
    return RestApi(listener, address)
