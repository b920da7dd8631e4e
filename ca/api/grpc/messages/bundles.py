"""Bundles as SPIRE's messages, both ways."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from ca.api.grpc.messages.entries import trust_domain_from
from ca.api.grpc.messages.masks import Fields, fill
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.certificate import split_der
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb import types_pb2

_WRITERS: Final[Mapping[str, Callable[[Bundle, types_pb2.Bundle], None]]] = {
    "x509_authorities": lambda bundle, message: message.x509_authorities.extend(
        types_pb2.X509Certificate(asn1=each.der, tainted=each.tainted)
        for each in bundle.x509_authorities
    ),
    "jwt_authorities": lambda bundle, message: message.jwt_authorities.extend(
        jwt_key_message(each) for each in bundle.jwt_authorities
    ),
    "refresh_hint": lambda bundle, message: setattr(message, "refresh_hint", bundle.refresh_hint),
    "sequence_number": lambda bundle, message: setattr(message, "sequence_number", bundle.sequence),
}


def bundle_message(bundle: Bundle, fields: Fields) -> types_pb2.Bundle:
    """Write a bundle; its trust domain is always there, the rest as the fields say."""
    message = types_pb2.Bundle(trust_domain=bundle.trust_domain.name)
    return fill(bundle, message, _WRITERS, fields)


def jwt_key_message(key: JwtAuthority) -> types_pb2.JWTKey:
    """Write a JWT authority."""
    return types_pb2.JWTKey(
        public_key=key.public_key,
        key_id=key.key_id,
        expires_at=key.expires_at,
        tainted=key.tainted,
    )


def bundle_from(message: types_pb2.Bundle) -> Bundle:
    """Read a bundle; taint marks are ours to set and are ignored.

    Raises: Refusal of kind INVALID.
    """
    if message.refresh_hint < 0:
        raise Refusal(Kind.INVALID, "a refresh hint is not negative", field="refresh_hint")
    return Bundle(
        trust_domain=trust_domain_from(message.trust_domain),
        x509_authorities=x509_authorities_from(message.x509_authorities),
        jwt_authorities=jwt_authorities_from(message.jwt_authorities),
        sequence=message.sequence_number,
        refresh_hint=message.refresh_hint,
    )


def bundle_change(message: types_pb2.Bundle, fields: Fields) -> Callable[[Bundle], Bundle]:
    """Read an update: the fields of the mask take the message's values, also empty ones.

    Raises: Refusal of kind INVALID.
    """
    new = bundle_from(message)
    names = {"sequence_number": "sequence"}
    written = {names.get(field, field) for field in fields} - {"wit_authorities"}
    values = {name: getattr(new, name) for name in written}
    return lambda bundle: replace(bundle, **values)


def x509_authorities_from(
    messages: Iterable[types_pb2.X509Certificate],
) -> tuple[X509Authority, ...]:
    """Read CA certificates; one message may hold several, one after another.

    Raises: Refusal of kind INVALID.
    """
    ders = (der for message in messages for der in split_der(message.asn1))
    return tuple(map(X509Authority, dict.fromkeys(ders)))


def jwt_authorities_from(messages: Iterable[types_pb2.JWTKey]) -> tuple[JwtAuthority, ...]:
    """Read JWT keys.

    Raises: Refusal of kind INVALID.
    """
    return tuple(
        JwtAuthority(message.key_id, message.public_key, message.expires_at) for message in messages
    )
