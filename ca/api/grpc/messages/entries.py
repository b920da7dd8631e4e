"""Registration entries as SPIRE's messages, both ways, field by field as masks want them."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from ca.api.grpc.messages.masks import Fields, fill
from ca.registry.entry import Entry
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.convert import (
    selector_from,
    selector_message,
    spiffe_id_from,
    spiffe_id_message,
)
from finial.wire.pb import types_pb2

READ_ONLY: Final = frozenset({"revision_number", "created_at"})


def entry_message(entry: Entry, fields: Fields) -> types_pb2.Entry:
    """Write an entry; its id is always there, the rest as the fields say."""
    return fill(entry, types_pb2.Entry(id=entry.id), _WRITERS, fields)


def entry_from(message: types_pb2.Entry, fields: Fields) -> Entry:
    """Read a new entry; nothing is judged yet but the form of its IDs and selectors.

    Raises: Refusal of kind INVALID.
    """
    values = _values(message, fields | {"spiffe_id", "parent_id", "selectors"})
    return Entry(id=message.id, **values)  # type: ignore[arg-type]


def entry_change(message: types_pb2.Entry, fields: Fields) -> Callable[[Entry], Entry]:
    """Read an update: the fields of the mask take the message's values, also empty ones.

    Raises: Refusal of kind INVALID.
    """
    values = _values(message, fields)

    def change(entry: Entry) -> Entry:
        return msgspec.structs.replace(entry, **values)

    return change


def _values(message: types_pb2.Entry, fields: Fields) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, read in _READERS.items():
        if name in fields:
            values |= read(message)
    return values


def _set_attributes(entry: Entry, message: types_pb2.Entry) -> None:
    if entry.disable_x509_svid_prefetch or entry.jwt_svid_include_jti:
        attributes = message.additional_attributes
        attributes.disable_x509_svid_prefetch = entry.disable_x509_svid_prefetch
        attributes.jwt_svid_include_jti = entry.jwt_svid_include_jti


def _copy(name: str) -> Callable[[Entry, types_pb2.Entry], None]:
    def write(entry: Entry, message: types_pb2.Entry) -> None:
        setattr(message, name, getattr(entry, name))

    return write


_SCALARS: Final = (
    "x509_svid_ttl",
    "jwt_svid_ttl",
    "admin",
    "downstream",
    "expires_at",
    "store_svid",
    "hint",
)
_WRITERS: Final[Mapping[str, Callable[[Entry, types_pb2.Entry], None]]] = {
    "spiffe_id": lambda entry, message: message.spiffe_id.CopyFrom(
        spiffe_id_message(entry.spiffe_id)
    ),
    "parent_id": lambda entry, message: message.parent_id.CopyFrom(
        spiffe_id_message(entry.parent_id)
    ),
    "selectors": lambda entry, message: message.selectors.extend(
        map(selector_message, entry.selectors)
    ),
    "federates_with": lambda entry, message: message.federates_with.extend(
        domain.name for domain in entry.federates_with
    ),
    "dns_names": lambda entry, message: message.dns_names.extend(entry.dns_names),
    "additional_attributes": _set_attributes,
    **{name: _copy(name) for name in (*_SCALARS, "revision_number", "created_at")},
}

_READERS: Final[Mapping[str, Callable[[types_pb2.Entry], dict[str, object]]]] = {
    "spiffe_id": lambda message: {"spiffe_id": spiffe_id_from(message.spiffe_id)},
    "parent_id": lambda message: {"parent_id": spiffe_id_from(message.parent_id)},
    "selectors": lambda message: {"selectors": tuple(map(selector_from, message.selectors))},
    "federates_with": lambda message: {
        "federates_with": tuple(map(trust_domain_from, message.federates_with))
    },
    "dns_names": lambda message: {"dns_names": tuple(message.dns_names)},
    "additional_attributes": lambda message: {
        "disable_x509_svid_prefetch": message.additional_attributes.disable_x509_svid_prefetch,
        "jwt_svid_include_jti": message.additional_attributes.jwt_svid_include_jti,
    },
    **{
        name: lambda message, name=name: {name: getattr(message, name)}  # type: ignore[misc]
        for name in _SCALARS
    },
}


def trust_domain_from(text: str) -> TrustDomain:
    """Read a trust domain that is given as its name or as its ID (`spiffe://name`).

    Raises: Refusal of kind INVALID.
    """
    if not text:
        raise Refusal(Kind.INVALID, "missing trust domain", field="trust_domain")
    return TrustDomain.parse(text.removeprefix("spiffe://"))
