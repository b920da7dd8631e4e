"""Revocation lists beside a bundle: of all its authorities, or none."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from agent.api.sds.revocation import RevocationLists
from finial.blocks import Blocks, BlocksDocument, Crl
from finial.spiffe.bundle import Bundle, X509Authority
from tests.doubles.blocked import blocking
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN

ONE, TWO = SmallCa(), SmallCa()


def crl(ca: SmallCa, *serials: int) -> Crl:
    now = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateRevocationListBuilder(ca.certificate.subject, now, now + timedelta(1))
    for serial in serials:
        row = x509.RevokedCertificateBuilder(serial, now).build()
        builder = builder.add_revoked_certificate(row)
    der = builder.sign(ca.root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return Crl(X509Authority(ca.der).subject_key_id, der, int(NOW) + 86_400)


def bundle(*cas: SmallCa) -> Bundle:
    return Bundle(TRUST_DOMAIN, tuple(X509Authority(each.der) for each in cas))


def beside(found: Bundle, *lists: Crl, now: float = NOW) -> tuple[bytes, ...]:
    return RevocationLists().beside(found, Blocks(blocking(crls=lists)), now)


def test_there_are_none_unless_something_is_revoked() -> None:
    """Lists bring nothing but a dependence on the clock while nothing stands in them."""
    assert beside(bundle(ONE), crl(ONE)) == ()
    nothing_blocked = Blocks(BlocksDocument(version=1, crls=(crl(ONE, 5),)))
    assert RevocationLists().beside(bundle(ONE), nothing_blocked, NOW) == ()


def test_each_authority_has_its_list() -> None:
    """In the bundle's order; also the list in which nothing stands."""
    lists = crl(ONE, 5), crl(TWO)
    assert beside(bundle(TWO, ONE), *lists) == (lists[1].der, lists[0].der)


def test_without_the_list_of_one_authority_there_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An Envoy would refuse everything that the authority without a list signs; it is said once."""
    lists, known = RevocationLists(), Blocks(blocking(crls=(crl(ONE, 5),)))
    with caplog.at_level(logging.WARNING, "finial.agent.sds"):
        for _ in range(3):
            assert lists.beside(bundle(ONE, TWO), known, NOW) == ()
    assert len(caplog.messages) == 1
    assert lists.beside(bundle(ONE), known, NOW) == (known.crls[0].der,)


def test_an_authority_that_has_expired_needs_none() -> None:
    """What it signed is refused anyway, and the server signs no list for it any more."""
    late = float(X509Authority(ONE.der).not_after) + 1
    assert beside(bundle(ONE), crl(TWO, 5), now=late) == ()
    found = beside(Bundle(TRUST_DOMAIN, ()), crl(TWO, 5), now=late)
    assert found == ()


def test_a_list_that_cannot_be_read_is_not_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    """An Envoy would refuse the authorities with it."""
    with caplog.at_level(logging.WARNING, "finial.agent.sds"):
        broken = Crl(crl(ONE).authority_id, b"\x30\x03crl", int(NOW) + 60)
        assert beside(bundle(ONE), broken) == ()
    assert "cannot be read" in caplog.messages[0]
