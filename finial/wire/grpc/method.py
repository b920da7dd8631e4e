"""What can be called, from the descriptors of services."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message


@dataclass(frozen=True)
class Method:
    """One RPC: its path, its messages, and which sides of it are streams."""

    path: str
    request: type[Message]
    response: type[Message]
    client_streams: bool
    server_streams: bool

    @cached_property
    def path_bytes(self) -> bytes:
        """The path as it travels."""
        return self.path.encode()


def method(service: ServiceDescriptor, name: str) -> Method:
    """Find an RPC by its name, such as `AttestAgent`. Raises: KeyError."""
    return _method(service.methods_by_name[name])


def methods(service: ServiceDescriptor) -> tuple[Method, ...]:
    """Return every RPC of a service."""
    return tuple(_method(found) for found in service.methods)


def _method(descriptor: MethodDescriptor) -> Method:
    # The types of protobuf's stubs do not know these two attributes.
    streams: Any = descriptor
    return Method(
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request=message_factory.GetMessageClass(descriptor.input_type),
        response=message_factory.GetMessageClass(descriptor.output_type),
        client_streams=bool(streams.client_streaming),
        server_streams=bool(streams.server_streaming),
    )
