"""An administrator's desk: the REST application over a whole server, without a network."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from ca.api.rest.application import application
from ca.api.rest.connection import LocalPeer, Peer, RemotePeer
from ca.api.rest.routes.watching import Vitals
from tests.doubles.house import House, house

ROOT = LocalPeer(pid=1, uid=0, gid=0)
AWAY = RemotePeer("192.0.2.7:4711")
PARENT = "spiffe://example.org/spire/agent/x509pop/one"
WEB = {
    "spiffe_id": "spiffe://example.org/web",
    "parent_id": PARENT,
    "selectors": ["unix:uid:1000"],
}


class Desk:
    """Calls the API as one caller or another."""

    def __init__(self, built: House, failing: tuple[str, ...] = ()) -> None:
        self.house = built
        self._application = application(
            built.world, Vitals(lambda: b"finial_ca_entries 1\n", lambda: failing)
        )

    async def ask(
        self, verb: str, path: str, document: Any = None, *, peer: Peer = ROOT, **options: Any
    ) -> httpx.Response:
        """Send one request."""

        async def door(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"peer": peer}
            await self._application(scope, receive, send)

        if document is not None:
            options["json"] = document
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://ca") as client:
            return await client.request(verb, path, **options)

    async def token(self, *scopes: str, ttl: int = 600) -> dict[str, str]:
        """Make an API token and return the header that shows it."""
        made = await self.ask(
            "POST", "/v1/api-tokens", {"name": "ci", "scopes": list(scopes), "ttl": ttl}
        )
        assert made.status_code == 201, made.text
        return {"Authorization": f"Bearer {made.json()['token']}"}


def at_desk(
    folder: Path,
    act: Callable[[Desk], Awaitable[None]],
    *,
    failing: tuple[str, ...] = (),
    **settings: Any,
) -> None:
    """Play one scene at a desk."""

    async def scene() -> None:
        async with house(folder, **settings) as built:
            await act(Desk(built, failing))

    asyncio.run(scene())


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document of a refusal with that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = json.loads(answer.content)
    assert found["status"] == status
    assert found["type"].startswith("urn:finial:refusal:")
    return found
