"""All authorities of one use that a server has, and how they change places.

A slot is prepared (published, not signing), then active (the one that signs), then old (published
until everything it signed has expired). There is at most one prepared and one active slot.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from ca.authority.slot import Phase, Slot, Use
from finial.spiffe.bundle import JwtAuthority, X509Authority
from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True)
class Keyring:
    """The slots of one use, in the order in which they were made.

    Raises: Refusal of kind INTERNAL when two slots are active, two are prepared, one is of
        another use, or two have the same authority ID.
    """

    use: Use
    slots: tuple[Slot, ...] = ()

    def __post_init__(self) -> None:
        phases = [slot.phase for slot in self.slots]
        ids = {slot.authority_id for slot in self.slots}
        if phases.count(Phase.ACTIVE) > 1 or phases.count(Phase.PREPARED) > 1:
            raise Refusal(Kind.INTERNAL, "a keyring has one active and one prepared authority")
        if len(ids) < len(self.slots) or any(slot.use is not self.use for slot in self.slots):
            raise Refusal(Kind.INTERNAL, f"these slots are not one keyring of use {self.use}")

    @classmethod
    def of(cls, use: Use, slots: Iterable[Slot]) -> Self:
        """Gather the slots of that use from those of a server, in the order they were made."""
        own = (slot for slot in slots if slot.use is use)
        return cls(use, tuple(sorted(own, key=lambda slot: (slot.not_before, slot.authority_id))))

    @property
    def active(self) -> Slot | None:
        """The authority that signs."""
        return self._first(Phase.ACTIVE)

    @property
    def prepared(self) -> Slot | None:
        """The authority that is published and will sign next."""
        return self._first(Phase.PREPARED)

    @property
    def old(self) -> tuple[Slot, ...]:
        """The authorities that no longer sign."""
        return tuple(slot for slot in self.slots if slot.phase is Phase.OLD)

    def find(self, authority_id: str) -> Slot | None:
        """Find an authority by its ID."""
        return next((slot for slot in self.slots if slot.authority_id == authority_id), None)

    def with_prepared(self, slot: Slot) -> Self:
        """Publish a new authority; one that was prepared before, and so never signed, goes."""
        kept = tuple(each for each in self.slots if each.phase is not Phase.PREPARED)
        return replace(self, slots=(*kept, replace(slot, phase=Phase.PREPARED)))

    def with_activated(self, authority_id: str, last_expiry: int = 0) -> Self:
        """Let the prepared authority sign; the one that did becomes old.

        `last_expiry` is the latest expiry, in Unix seconds, of anything the former one signed or
        is still signing; 0 when that is not known, which means the end of its own life.

        Raises: Refusal of kind PRECONDITION when that authority is not the prepared one.
        """
        if self.prepared is None or self.prepared.authority_id != authority_id:
            raise _precondition(authority_id, "the authority is not the prepared one")
        turned = (
            _aged(slot, last_expiry)
            if slot.phase is Phase.ACTIVE
            else replace(slot, phase=Phase.ACTIVE)
            if slot.phase is Phase.PREPARED
            else slot
            for slot in self.slots
        )
        return replace(self, slots=tuple(turned))

    def with_tainted(self, authority_id: str) -> Self:
        """Mark an old authority, so that everything it signed is replaced (BT-03, BT-05).

        Raises: Refusal of kind NOT_FOUND, PRECONDITION when it is not old.
        """
        tainted = replace(self._old(authority_id), tainted=True)
        slots = tuple(tainted if s.authority_id == authority_id else s for s in self.slots)
        return replace(self, slots=slots)

    def without(self, authority_id: str) -> Self:
        """Take an authority that does not sign out of the bundle.

        Raises: Refusal of kind NOT_FOUND, PRECONDITION when it is the active one.
        """
        slot = self._known(authority_id)
        if slot.phase is Phase.ACTIVE:
            raise _precondition(authority_id, "the active authority cannot be taken away")
        return replace(self, slots=tuple(each for each in self.slots if each is not slot))

    def _first(self, phase: Phase) -> Slot | None:
        return next((slot for slot in self.slots if slot.phase is phase), None)

    def _known(self, authority_id: str) -> Slot:
        slot = self.find(authority_id)
        if slot is None:
            raise Refusal(
                Kind.NOT_FOUND,
                "there is no such authority",
                field="authority_id",
                value=authority_id[:80],
            )
        return slot

    def _old(self, authority_id: str) -> Slot:
        slot = self._known(authority_id)
        if slot.phase is not Phase.OLD:
            raise _precondition(authority_id, "only an old authority can be tainted")
        return slot


def x509_authorities(slots: Iterable[Slot]) -> tuple[X509Authority, ...]:
    """The part of the bundle that belongs to these slots' CA certificates (BX-17)."""
    return tuple(
        X509Authority(slot.document, slot.tainted) for slot in slots if slot.use is Use.X509
    )


def jwt_authorities(slots: Iterable[Slot]) -> tuple[JwtAuthority, ...]:
    """The part of the bundle that belongs to these slots' JWT keys."""
    return tuple(
        JwtAuthority(slot.authority_id, slot.document, slot.not_after, slot.tainted)
        for slot in slots
        if slot.use is Use.JWT
    )


def _aged(slot: Slot, last_expiry: int) -> Slot:
    # Nothing outlives its issuer, so the end of the issuer's life is always late enough.
    end = min(last_expiry, slot.not_after) if last_expiry else slot.not_after
    return replace(slot, phase=Phase.OLD, last_expiry=end)


def _precondition(authority_id: str, fault: str) -> Refusal:
    return Refusal(Kind.PRECONDITION, fault, field="authority_id", value=authority_id[:80])
