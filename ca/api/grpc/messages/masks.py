"""Masks: which fields of an object are read or written.

An absent mask means every field; a present one the fields that it sets to true. IDs have no mask.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from google.protobuf.message import Message

from finial.wire.pb import types_pb2

Fields = frozenset[str]
V = TypeVar("V")
M = TypeVar("M", bound=Message)


def _fields(mask: type[Message]) -> Fields:
    return frozenset(field.name for field in mask.DESCRIPTOR.fields)


ENTRY_FIELDS: Final = _fields(types_pb2.EntryMask)
AGENT_FIELDS: Final = _fields(types_pb2.AgentMask)
BUNDLE_FIELDS: Final = _fields(types_pb2.BundleMask)


def masked(request: Message, name: str, every: Fields) -> Fields:
    """Read the mask of that name from a request; an absent one means `every` field."""
    if not request.HasField(name):
        return every
    mask = getattr(request, name)
    return frozenset(field.name for field, value in mask.ListFields() if value)


def fill(value: V, message: M, writers: Mapping[str, Callable[[V, M], None]], fields: Fields) -> M:
    """Write the wanted fields of a value into a message."""
    for name, write in writers.items():
        if name in fields:
            write(value, message)
    return message
