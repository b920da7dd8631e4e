"""A service that a status hook asks, and how a test of the server gives it one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from ca.events.happened import SYSTEM
from ca.operations.hook_client import HookClient
from ca.operations.issuing.issue_svids import X509Wish, issue_x509_svids
from ca.operations.world import World
from ca.settings import StatusHook
from finial.spiffe.identity import SpiffeId
from tests.doubles.house import House, csr

WEB = SpiffeId.parse("spiffe://example.org/web")


class Service:
    """What answers, and what it was asked."""

    def __init__(self, **answer: Any) -> None:
        self.answer: dict[str, Any] | Callable[[], httpx.Response] = answer
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if callable(self.answer):
            return self.answer()
        return httpx.Response(200, json=self.answer)


def hooked(built: House, service: Service, **settings: Any) -> World:
    """The same world with a hook."""
    hook = StatusHook(url="https://idp.example.org/standing", **settings)
    return replace(built.world, hook=HookClient(hook, httpx.MockTransport(service)))


async def svid(world: World, agent: SpiffeId, entry_id: str) -> Any:
    """The one result of asking for an X.509-SVID."""
    [result] = await issue_x509_svids(world, SYSTEM, agent, [X509Wish(entry_id, csr())])
    return result
