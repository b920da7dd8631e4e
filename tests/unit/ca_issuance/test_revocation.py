"""Revocation lists from their draft to the signature."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509

from ca.issuance.issuer import Issuer
from ca.issuance.revocation import Revoked, draft_crl
from ca.issuance.seal import seal_crl
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entries import DOMAIN
from tests.doubles.issuing import KEY_TYPES, x509_authority

SERIALS = (2**127 + 5, 7)


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_list_is_signed_by_its_authority(kind: str) -> None:
    """Whoever knows the authority can read which of its certificates are revoked, and since when."""
    authority = x509_authority(kind)
    issuer = Issuer.of(authority.slot, DOMAIN)
    revoked = [Revoked(SERIALS[0], int(NOW) - 100), Revoked(SERIALS[1], int(NOW) + 50)]
    draft = draft_crl(issuer, 9, NOW, revoked)
    assert draft.next_update == authority.slot.not_after
    read = x509.load_der_x509_crl(seal_crl(draft, authority))
    assert read.is_signature_valid(authority.private_key.public_key())
    assert [each.serial_number for each in read] == sorted(SERIALS)
    assert [int(each.revocation_date_utc.timestamp()) for each in read] == [
        int(NOW) - 10,
        int(NOW) - 100,
    ]
    number = read.extensions.get_extension_for_class(x509.CRLNumber).value
    key_id = read.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert number.crl_number == 9
    assert key_id.key_identifier == bytes.fromhex(authority.slot.authority_id)


def test_list_of_another_authority_is_not_signed() -> None:
    """A list is drafted for one authority and signed by that one alone."""
    one, other = x509_authority("ec-p256"), x509_authority("ec-p384")
    draft = draft_crl(Issuer.of(one.slot, DOMAIN), 1, NOW, ())
    with pytest.raises(Refusal) as refused:
        seal_crl(draft, other)
    assert refused.value.kind is Kind.INTERNAL


def test_expired_authority_signs_no_list() -> None:
    """Nobody would accept it."""
    issuer = Issuer.of(x509_authority("ec-p256").slot, DOMAIN)
    with pytest.raises(Refusal) as refused:
        draft_crl(issuer, 1, issuer.not_after + 11, ())
    assert refused.value.kind is Kind.PRECONDITION


def test_list_that_cannot_say_what_was_drafted_is_kept_back() -> None:
    """What was signed is read again: a list knows no parts of seconds, for example."""
    authority = x509_authority("ec-p256")
    part_of_a_second: Any = int(NOW) + 0.5
    draft = draft_crl(Issuer.of(authority.slot, DOMAIN), 1, NOW, ())
    with pytest.raises(Refusal, match="not the one that was drafted") as refused:
        seal_crl(replace(draft, this_update=part_of_a_second), authority)
    assert refused.value.kind is Kind.INTERNAL
