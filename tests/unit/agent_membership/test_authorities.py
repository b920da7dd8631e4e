"""Authorities that are taken on beside those that are known."""

from agent.membership.authorities import newer_authorities
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW

DOMAIN = TrustDomain("example.org")


def authority(began: float) -> X509Authority:
    return X509Authority(SmallCa(now=NOW + began).der)


def bundle(*authorities: X509Authority) -> Bundle:
    return Bundle(DOMAIN, authorities)


def test_only_what_began_after_all_that_is_known_is_new() -> None:
    """An authority that was removed is not taken back because a file still has it."""
    old, known, new = authority(-60), authority(0), authority(60)
    assert newer_authorities(bundle(known), bundle(old, known, new)) == (new,)
    assert newer_authorities(bundle(known, new), bundle(old, known, new)) == ()
    assert newer_authorities(bundle(), bundle(old)) == (old,)
