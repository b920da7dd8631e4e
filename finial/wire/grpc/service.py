"""Services: the RPCs of a descriptor, each with the function that answers it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from finial.wire.grpc.method import Method, method

Handler = Callable[..., Message | bytes | Awaitable[Any]]
"""By the RPC's shape:

unary: `(call, request) -> message`, or an awaitable of one. A plain function is the fast path.
server stream: `async (call, request) -> None`, which uses `await call.send(message)`.
client or bidirectional stream: `async (call) -> None`, which also uses `async for request in call`.
"""


@dataclass(frozen=True, slots=True)
class Route:
    """An RPC and who answers it; `waits` says that the handler is known to be no plain function."""

    method: Method
    handler: Handler
    parse: Callable[[bytes], Message]
    takes_one: bool
    gives_one: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Service:
    """Those RPCs of a service that are answered; the others are UNIMPLEMENTED."""

    descriptor: ServiceDescriptor
    routes: tuple[Route, ...]


def service(descriptor: ServiceDescriptor, handlers: Mapping[str, Handler]) -> Service:
    """Bind handlers to the RPCs of a service by name. Raises: KeyError for an unknown RPC."""
    return Service(
        descriptor, tuple(_route(method(descriptor, name), handlers[name]) for name in handlers)
    )


def routing_table(services: Iterable[Service]) -> dict[bytes, Route]:
    """Return every route by its path as it travels."""
    return {route.method.path_bytes: route for each in services for route in each.routes}


def _route(found: Method, handler: Handler) -> Route:
    return Route(
        method=found,
        handler=handler,
        parse=found.request.FromString,
        takes_one=not found.client_streams,
        gives_one=not found.client_streams and not found.server_streams,
        waits=inspect.iscoroutinefunction(handler),
    )
