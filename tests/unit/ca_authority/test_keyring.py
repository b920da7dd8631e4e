"""How authorities change places."""

from dataclasses import replace

import pytest

from ca.authority.keyring import Keyring, jwt_authorities, x509_authorities
from ca.authority.slot import Phase, Slot, Use
from finial.spiffe.bundle import JwtAuthority, X509Authority
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.authorities import slot

ACTIVE = slot("a1", phase=Phase.ACTIVE)
NEXT = slot("a2", 1_800_050_000)


def _kind(refused: pytest.ExceptionInfo[Refusal]) -> Kind:
    return refused.value.kind


def test_a_prepared_authority_is_published_before_it_signs() -> None:
    """BX-17: what is prepared is in the bundle, and is not yet the active one."""
    ring = Keyring(Use.X509, (ACTIVE,)).with_prepared(replace(NEXT, phase=Phase.OLD))
    assert ring.prepared == NEXT
    assert ring.active == ACTIVE
    assert [a.der for a in x509_authorities(ring.slots)] == [b"a1", b"a2"]


def test_preparing_again_replaces_what_was_prepared() -> None:
    """BT-01: an authority that never signed leaves nothing to wait for."""
    ring = Keyring(Use.X509, (ACTIVE, NEXT)).with_prepared(slot("a3"))
    assert [each.authority_id for each in ring.slots] == ["a1", "a3"]


def test_activating_ages_the_former_one() -> None:
    """BT-02: the prepared one signs from now on, and the former becomes old."""
    ring = Keyring(Use.X509, (slot("a0", phase=Phase.OLD), ACTIVE, NEXT)).with_activated("a2")
    assert ring.active == replace(NEXT, phase=Phase.ACTIVE)
    assert [each.authority_id for each in ring.old] == ["a0", "a1"]
    assert ring.prepared is None
    assert ring.old[1].last_expiry == ACTIVE.not_after


@pytest.mark.parametrize(
    ("known", "kept"),
    [(0, ACTIVE.not_after), (1_800_060_000, 1_800_060_000), (2**40, ACTIVE.not_after)],
)
def test_an_old_authority_stays_for_what_it_signed(known: int, kept: int) -> None:
    """What it signed ends at the greatest expiry that was issued, and with itself at the latest."""
    ring = Keyring(Use.X509, (ACTIVE, NEXT)).with_activated("a2", known)
    assert ring.old[0].last_expiry == kept


def test_only_the_prepared_authority_can_be_activated() -> None:
    """BT-02: the ID must be the prepared one's."""
    for ring, wanted in ((Keyring(Use.X509, (ACTIVE,)), "a1"), (Keyring(Use.X509, (NEXT,)), "a9")):
        with pytest.raises(Refusal) as refused:
            ring.with_activated(wanted)
        assert _kind(refused) is Kind.PRECONDITION


def test_only_an_old_authority_can_be_tainted() -> None:
    """BT-03, BT-05: never the active or the prepared one."""
    old = slot("a0", phase=Phase.OLD)
    ring = Keyring(Use.X509, (old, ACTIVE, NEXT))
    tainted = ring.with_tainted("a0")
    assert [each.tainted for each in x509_authorities(tainted.slots)] == [True, False, False]
    for wanted, kind in (
        ("a1", Kind.PRECONDITION),
        ("a2", Kind.PRECONDITION),
        ("x", Kind.NOT_FOUND),
    ):
        with pytest.raises(Refusal) as refused:
            ring.with_tainted(wanted)
        assert _kind(refused) is kind


def test_the_active_authority_cannot_be_taken_away() -> None:
    """BT-04: old and prepared ones can."""
    old = slot("a0", phase=Phase.OLD)
    ring = Keyring(Use.X509, (old, ACTIVE, NEXT))
    assert ring.without("a0").slots == (ACTIVE, NEXT)
    assert ring.without("a2").slots == (old, ACTIVE)
    for wanted, kind in (("a1", Kind.PRECONDITION), ("x", Kind.NOT_FOUND)):
        with pytest.raises(Refusal) as refused:
            ring.without(wanted)
        assert _kind(refused) is kind


def test_a_keyring_gathers_the_slots_of_its_use() -> None:
    """A server's slots of both uses are told apart, oldest first."""
    jwt = slot("j1", use=Use.JWT)
    ring = Keyring.of(Use.X509, [NEXT, jwt, ACTIVE])
    assert ring.slots == (ACTIVE, NEXT)
    assert Keyring.of(Use.JWT, [NEXT, jwt]).slots == (jwt,)
    assert ring.find("a2") == NEXT
    assert ring.find("j1") is None


def test_the_bundle_holds_both_uses() -> None:
    """7.4: CA certificates in one part, JWT keys with their IDs and ends in the other."""
    jwt = slot("j1", use=Use.JWT, tainted=True)
    assert x509_authorities([ACTIVE, jwt]) == (X509Authority(b"a1"),)
    assert jwt_authorities([ACTIVE, jwt]) == (JwtAuthority("j1", b"j1", jwt.not_after, True),)


@pytest.mark.parametrize(
    "slots",
    [
        (ACTIVE, slot("a2", phase=Phase.ACTIVE)),
        (NEXT, slot("a3")),
        (ACTIVE, replace(NEXT, authority_id="a1")),
        (slot("j1", use=Use.JWT),),
    ],
)
def test_a_keyring_that_cannot_be_is_a_bug(slots: tuple[Slot, ...]) -> None:
    """One active, one prepared, one use, and no ID twice."""
    with pytest.raises(Refusal) as refused:
        Keyring(Use.X509, slots)
    assert _kind(refused) is Kind.INTERNAL
