"""When an authority is prepared, activated and retired; X.509 and JWT keys alike.

The rules, of which the first that applies is the next step:

1. A prepared authority that is not valid now (expired, or the clock went back) is dropped.
2. Without an active authority that is of use now, the prepared one is activated at once, and
   without a prepared one, one is prepared. So a first start prepares and activates at once, and
   so does a server that comes back in the last moments of its authority's life.
3. With little of the active one's life left, the next is prepared, which publishes it (BX-03).
4. With less left (BX-04), or when the prepared one itself grows old, it is activated; but not
   before everybody had the time to learn of it.
5. An old one is retired when everything it signed has expired, and clocks that are slow agree.
"""

from dataclasses import dataclass
from typing import Final

from ca.authority.keyring import Keyring
from ca.authority.slot import Slot
from finial.spiffe.validity import BACKDATE

_DAY: Final = 86_400
_MOST_TO_PREPARE: Final = 30 * _DAY
_MOST_TO_ACTIVATE: Final = 7 * _DAY
_MOST_TO_SETTLE: Final = 60.0
_MOST_TO_SPEND: Final = 20.0


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make a key and publish its authority."""


@dataclass(frozen=True, slots=True)
class Activate:
    """Let this prepared authority sign from now on."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Retire:
    """Take this authority out of the bundle and forget its key."""

    slot: Slot


Step = Prepare | Activate | Retire


@dataclass(frozen=True, slots=True)
class Timetable:
    """By how much of an authority's life the steps are taken; all results are Unix seconds.

    `backdate` is by how many seconds the authorities' lives begin in the past.
    """

    backdate: int = BACKDATE

    def lifetime(self, slot: Slot) -> int:
        """How many seconds the authority was made for."""
        return max(slot.not_after - slot.not_before - self.backdate, 1)

    def prepare_at(self, active: Slot) -> float:
        """When the successor is due: with half its life or 30 days left (BX-03)."""
        return active.not_after - min(self.lifetime(active) / 2, _MOST_TO_PREPARE)

    def activate_at(self, active: Slot, prepared: Slot) -> float:
        """When the successor takes over: with a sixth of the life or 7 days left (BX-04).

        One that was prepared late is left alone for a twelfth of its life, a minute at most, so
        that agents and workloads know it before they meet what it signed.
        """
        due = active.not_after - min(self.lifetime(active) / 6, _MOST_TO_ACTIVATE)
        settled = prepared.not_before + self.backdate + self.settling(self.lifetime(prepared))
        return max(min(due, self.prepare_at(prepared)), settled)

    def settling(self, lifetime: float) -> float:
        """For how many seconds an authority that lives so long is published before it signs."""
        return min(lifetime / 12, _MOST_TO_SETTLE)

    def spent_at(self, active: Slot) -> float:
        """When nothing of use can be signed any more, a little before issuing would refuse it."""
        return active.not_after - min(self.lifetime(active) / 8, _MOST_TO_SPEND)

    def retire_at(self, old: Slot) -> float:
        """When nothing that the authority signed can be valid, for slow clocks either."""
        return (old.last_expiry or old.not_after) + 1 + self.backdate


def next_step(keyring: Keyring, timetable: Timetable, now: float) -> Step | None:
    """What is to be done now with these authorities; ask again after each step."""
    active, prepared = keyring.active, keyring.prepared
    if prepared is not None and not is_usable(prepared, now):
        return Retire(prepared)
    if active is None or not active.not_before <= now < timetable.spent_at(active):
        return Activate(prepared) if prepared else Prepare()
    if prepared is None and now >= timetable.prepare_at(active):
        return Prepare()
    if prepared is not None and now >= timetable.activate_at(active, prepared):
        return Activate(prepared)
    return next((Retire(slot) for slot in keyring.old if now >= timetable.retire_at(slot)), None)


def next_wake(keyring: Keyring, timetable: Timetable, now: float) -> float:
    """When to ask for the next step again: the Unix second, which is `now` when one is due."""
    active, prepared = keyring.active, keyring.prepared
    if active is None or next_step(keyring, timetable, now) is not None:
        return now
    due = [timetable.spent_at(active), *(timetable.retire_at(slot) for slot in keyring.old)]
    if prepared is None:
        due.append(timetable.prepare_at(active))
    else:
        due += [timetable.activate_at(active, prepared), float(prepared.not_after)]
    return min(due)


def is_usable(slot: Slot, now: float) -> bool:
    """Whether what the authority signs now would be valid now."""
    return slot.not_before <= now < slot.not_after
