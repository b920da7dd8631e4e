"""Starts OIDC discovery: over HTTPS, or on a Unix socket for a proxy that ends TLS."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ca.api.oidc.application import Discovery, Finished
from ca.api.oidc.documents import Documents
from ca.api.rest.https import https_context
from ca.api.rest.listener import Listener
from ca.operations.diagnosing.discovery import judge_issuer
from ca.operations.world import World
from ca.registry.rate import RateLimit
from ca.settings import Oidc
from finial.explain.diagnosis import Health
from finial.spiffe.oidc import OidcIssuer
from finial.wire.tls import TlsIdentity

SOCKET_MODE: Final = 0o666
"""What is on the socket is public; its folder says who reaches it."""

_logger = logging.getLogger("finial.oidc")


@dataclass(frozen=True, slots=True)
class OidcApi:
    """Discovery as it runs; `https` is its address, if it listens for HTTPS."""

    listener: Listener
    https: tuple[str, int] | None

    async def close(self, grace: float) -> None:
        """Stop listening and let running requests end within `grace` seconds."""
        await self.listener.close(grace)


async def start(
    world: World, oidc: Oidc, own: Callable[[], TlsIdentity], finished: Finished
) -> OidcApi:
    """Begin to listen; `own` gives the server's own certificate with the hosts' DNS names.

    Raises: Refusal of kind PRECONDITION, EXISTS or INVALID; OSError.
    """
    issuer = OidcIssuer.parse(world.settings.issuer)
    judged = judge_issuer(world.settings)
    if judged.health is not Health.OK:
        _logger.warning("%s; %s", judged.detail, judged.remedy)
    discovery = Discovery(
        Documents(world, issuer),
        world.settings.oidc_hosts,
        RateLimit(oidc.ratelimit),
        world.clock,
        finished,
    )
    listener = Listener(discovery, world.clock)
    if oidc.socket is not None:
        await listener.listen_unix(oidc.socket, SOCKET_MODE)
        return OidcApi(listener, None)
    address = await listener.listen_tls(*oidc.address, https_context(oidc, own))
    _logger.info("OIDC discovery of %s on %s:%d", issuer.text, *address)
    return OidcApi(listener, address)
