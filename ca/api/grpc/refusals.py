"""Every refusal of a call is told to the journal, with who asked and why they were told no."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from ca.api.grpc.caller import ServerCall, actor_of, tell
from ca.operations.world import World
from finial.spiffe.refusal import Refusal
from finial.wire.grpc.service import Route, Service


def audited(world: World, service: Service) -> Service:
    """Have the refusals of a service's handlers told to the journal."""
    routes = (replace(route, handler=_watched(world, route)) for route in service.routes)
    return replace(service, routes=tuple(routes))


def _watched(world: World, route: Route) -> Callable[..., Any]:
    handler = route.handler

    def watched(call: ServerCall, *request: Any) -> Any:
        try:
            answer = handler(call, *request)
        except Refusal as refusal:
            tell(world, actor_of(call), call.method, refusal)
            raise
        return wait(call, answer) if isawaitable(answer) else answer

    async def wait(call: ServerCall, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except Refusal as refusal:
            tell(world, actor_of(call), call.method, refusal)
            raise

    return watched
