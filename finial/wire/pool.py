"""The private pool that all our messages live in.

The Workload API's protocol file has no package, so its names collide with those of every other
library that brings its own copy: in the default pool two copies cannot be in one process
(SPIFFE checklist, section 14).
"""

from typing import Any, Final

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    empty_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

POOL: Final = descriptor_pool.DescriptorPool()

for _module in (any_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2):
    POOL.AddSerializedFile(_module.DESCRIPTOR.serialized_pb)


def build(serialized: bytes, module: dict[str, Any]) -> None:
    """Put one file into the pool, and its messages and enumerations into a module's names."""
    POOL.AddSerializedFile(serialized)
    descriptor = POOL.FindFileByName(_name_of(serialized))
    module["DESCRIPTOR"] = descriptor
    for name, message in descriptor.message_types_by_name.items():
        module[name] = message_factory.GetMessageClass(message)
    for name, enumeration in descriptor.enum_types_by_name.items():
        module[name] = EnumTypeWrapper(enumeration)
        module.update((value.name, value.number) for value in enumeration.values)


def file_named(name: str) -> FileDescriptor:
    """Find a file of the pool, such as `google/protobuf/empty.proto`."""
    return POOL.FindFileByName(name)


def message_named(full_name: str) -> type[Message]:
    """Find the class of a message of the pool by its full name."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name))


def _name_of(serialized: bytes) -> str:
    """Read a file's name from its descriptor: field 1 comes first, and names are short."""
    length = serialized[1]
    return serialized[2 : 2 + length].decode()
