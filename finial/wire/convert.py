"""SPIFFE IDs, selectors, bundles and SVIDs as SPIRE's messages, both ways."""

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.certificate import split_der
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.jwt_svid import JwtSvid
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.x509_svid import X509Svid
from finial.wire.pb import types_pb2


def spiffe_id_message(spiffe_id: SpiffeId) -> types_pb2.SPIFFEID:
    """Write a SPIFFE ID."""
    return types_pb2.SPIFFEID(trust_domain=spiffe_id.trust_domain.name, path=spiffe_id.path)


def spiffe_id_from(message: types_pb2.SPIFFEID) -> SpiffeId:
    """Read a SPIFFE ID. Raises: Refusal INVALID."""
    return SpiffeId.of(TrustDomain.parse(message.trust_domain), message.path)


def selector_message(selector: Selector) -> types_pb2.Selector:
    """Write a selector."""
    return types_pb2.Selector(type=selector.type, value=selector.value)


def selector_from(message: types_pb2.Selector) -> Selector:
    """Read a selector. Raises: Refusal INVALID."""
    return Selector.of(message.type, message.value)


def bundle_message(bundle: Bundle) -> types_pb2.Bundle:
    """Write a whole bundle."""
    return types_pb2.Bundle(
        trust_domain=bundle.trust_domain.name,
        x509_authorities=[
            types_pb2.X509Certificate(asn1=authority.der, tainted=authority.tainted)
            for authority in bundle.x509_authorities
        ],
        jwt_authorities=[
            types_pb2.JWTKey(
                public_key=authority.public_key,
                key_id=authority.key_id,
                expires_at=authority.expires_at,
                tainted=authority.tainted,
            )
            for authority in bundle.jwt_authorities
        ],
        refresh_hint=bundle.refresh_hint,
        sequence_number=bundle.sequence,
    )


def bundle_from(message: types_pb2.Bundle) -> Bundle:
    """Read a whole bundle, taint marks included, as a server sent it. Raises: Refusal INVALID."""
    if message.refresh_hint < 0:
        raise Refusal(Kind.INVALID, "a refresh hint is not negative", field="refresh_hint")
    return Bundle(
        trust_domain=TrustDomain.parse(message.trust_domain.removeprefix("spiffe://")),
        x509_authorities=tuple(
            X509Authority(der, each.tainted)
            for each in message.x509_authorities
            for der in split_der(each.asn1)
        ),
        jwt_authorities=tuple(map(_jwt_authority, message.jwt_authorities)),
        sequence=message.sequence_number,
        refresh_hint=message.refresh_hint,
    )


def x509_svid_message(svid: X509Svid) -> types_pb2.X509SVID:
    """Write an X.509-SVID."""
    return types_pb2.X509SVID(
        cert_chain=svid.chain, id=spiffe_id_message(svid.id), expires_at=svid.not_after
    )


def x509_svid_from(message: types_pb2.X509SVID) -> X509Svid:
    """Read an X.509-SVID; the certificate is judged and has to be that of the ID named.

    Raises: Refusal INVALID.
    """
    svid = X509Svid.parse(tuple(message.cert_chain))
    _judge_same(svid.id, message.id)
    return svid


def jwt_svid_message(svid: JwtSvid) -> types_pb2.JWTSVID:
    """Write a JWT-SVID."""
    return types_pb2.JWTSVID(
        token=svid.token,
        id=spiffe_id_message(svid.id),
        expires_at=svid.expires_at,
        issued_at=svid.issued_at,
    )


def jwt_svid_from(message: types_pb2.JWTSVID) -> JwtSvid:
    """Read a JWT-SVID without verifying it; it has to be that of the ID named.

    Raises: Refusal INVALID.
    """
    svid = JwtSvid.parse_unverified(message.token)
    _judge_same(svid.id, message.id)
    return svid


def _jwt_authority(message: types_pb2.JWTKey) -> JwtAuthority:
    if not message.key_id or not message.public_key:
        raise Refusal(Kind.INVALID, "a JWT authority has a key and a key id", field="key_id")
    return JwtAuthority(message.key_id, message.public_key, message.expires_at, message.tainted)


def _judge_same(found: SpiffeId, named: types_pb2.SPIFFEID) -> None:
    if found != spiffe_id_from(named):
        raise Refusal(
            Kind.INVALID, f"the SVID is that of {found}, not of the ID beside it", field="id"
        )
