"""Bundles of small authorities, for the tests of the standards."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import spki
from tests.doubles.ca import SmallCa


def bundle_of(*authorities: SmallCa) -> Mapping[TrustDomain, Bundle]:
    """The bundles of these authorities' trust domains, one authority each."""
    found = {}
    for ca in authorities:
        trust_domain = TrustDomain.parse(ca.trust_domain)
        found[trust_domain] = Bundle(trust_domain, (X509Authority(ca.der),))
    return found


def jwt_bundle(
    name: str, **keys: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> Mapping[TrustDomain, Bundle]:
    """The bundle of one trust domain with these JWT keys by key id."""
    trust_domain = TrustDomain.parse(name)
    authorities = tuple(JwtAuthority(kid, spki(key.public_key())) for kid, key in keys.items())
    return {trust_domain: Bundle(trust_domain, (), authorities)}
