"""OIDC discovery beside a whole server, on a Unix socket as a proxy would call it, or over HTTPS."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ca.api.oidc.application import Discovery
from ca.api.oidc.documents import Documents
from ca.api.oidc.start import OidcApi, start
from ca.api.rest.connection import LocalPeer, Peer
from ca.operations.server_identity import renew_server_identity
from ca.registry.rate import RateLimit
from finial.spiffe.bundle_document import render_pem
from finial.spiffe.oidc import OidcIssuer
from tests.doubles.house import House, house

ISSUER = "https://oidc.example.org/td"
HOST = {"Host": "oidc.example.org"}
PROXY = LocalPeer(pid=1, uid=0, gid=0)


@dataclass
class Place:
    """The application without a network; `finished` keeps what was counted."""

    house: House
    rate: float = 0.0
    finished: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = self.house.world
        self._application = Discovery(
            Documents(world, OidcIssuer.parse(world.settings.issuer)),
            world.settings.oidc_hosts,
            RateLimit(self.rate),
            world.clock,
            lambda name, status, _seconds: self.finished.append((name, status)),
        )

    async def ask(
        self, verb: str, path: str, *, peer: Peer = PROXY, **options: Any
    ) -> httpx.Response:
        """Send one request."""

        async def door(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"peer": peer}
            await self._application(scope, receive, send)

        transport = httpx.ASGITransport(app=door)
        base = "https://oidc.example.org"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(verb, path, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Read something."""
        return await self.ask("GET", path, **options)


def asked(
    folder: Path, act: Callable[[Place], Awaitable[None]], rate: float = 0.0, **settings: Any
) -> None:
    """Run a scene with the application of a new server."""

    async def scene() -> None:
        async with house(folder, **_with_oidc(settings)) as built:
            await act(Place(built, rate))

    asyncio.run(scene())


def listening(
    folder: Path, act: Callable[[House, OidcApi], Awaitable[None]], **settings: Any
) -> None:
    """Run a scene beside the listener of a new server."""

    async def scene() -> None:
        async with house(folder, **_with_oidc(settings)) as built:
            world = built.world
            names = world.settings.oidc_names
            identity = (await renew_server_identity(world, names)).tls
            assert world.settings.oidc is not None
            api = await start(world, world.settings.oidc, lambda: identity, lambda *_: None)
            try:
                await act(built, api)
            finally:
                await api.close(1.0)

    asyncio.run(scene())


def trusting(built: House) -> ssl.SSLContext:
    """TLS that trusts the server's own bundle; its clock may stand in another year than ours."""
    pem = render_pem(built.world.known.bundle.value).decode()
    context = ssl.create_default_context(cadata=pem)
    context.verify_flags |= ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
    return context


def _with_oidc(settings: dict[str, Any]) -> dict[str, Any]:
    oidc = {"listen": "127.0.0.1:0", **settings.pop("oidc", {})}
    return {"jwt_issuer": ISSUER, "oidc": oidc, **settings}
