"""SPIRE's messages as the agent's values; what the server sends is judged here, once."""

from typing import Final

from agent.cache.entitlement import Entitlement
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.wire.convert import bundle_from, selector_from, spiffe_id_from
from finial.wire.pb import types_pb2

ENTRY_MASK: Final = types_pb2.EntryMask(
    spiffe_id=True,
    selectors=True,
    federates_with=True,
    admin=True,
    downstream=True,
    revision_number=True,
    store_svid=True,
    hint=True,
    created_at=True,
    additional_attributes=True,
)
"""What an agent asks of an entry (SPIRE BS-06)."""


def entitlement_of(entry: types_pb2.Entry) -> Entitlement:
    """Read an entry.

    Raises: Refusal of kind INVALID.
    """
    attributes = entry.additional_attributes
    return Entitlement(
        id=entry.id,
        spiffe_id=spiffe_id_from(entry.spiffe_id),
        selectors=tuple(sorted(map(selector_from, entry.selectors))),
        federates_with=tuple(sorted(domain_of(each) for each in entry.federates_with)),
        admin=entry.admin,
        downstream=entry.downstream,
        store_svid=entry.store_svid,
        hint=entry.hint,
        disable_x509_svid_prefetch=attributes.disable_x509_svid_prefetch,
        jwt_svid_include_jti=attributes.jwt_svid_include_jti,
        revision_number=entry.revision_number,
        created_at=entry.created_at,
    )


def bundle_of(message: types_pb2.Bundle) -> Bundle:
    """Read a bundle; every certificate and key in it can be used afterwards.

    Raises: Refusal of kind INVALID.
    """
    bundle = bundle_from(message)
    for authority in bundle.x509_authorities:
        _ = authority.certificate
    for key in bundle.jwt_authorities:
        _ = key.key
    return bundle


def domain_of(text: str) -> TrustDomain:
    """Read a trust domain, written as a name or as a SPIFFE ID.

    Raises: Refusal of kind INVALID.
    """
    return TrustDomain.parse(text.removeprefix("spiffe://"))
