"""The keys that sign, whether their successors come in time, and the bundles of others."""

from collections.abc import Iterator
from typing import Final

from ca.authority.keyring import Keyring
from ca.authority.rotation import is_usable
from ca.authority.slot import Slot, Use
from ca.operations.rotate_authority import TIMETABLE
from ca.operations.world import World
from finial.explain.checkup import OVERDUE, failed, many, ok, some, span, warning
from finial.explain.diagnosis import Diagnosis

FEDERATION: Final = "federation"
_REMEDY: Final = "see the server's log: the key manager or the database refuses to make a key"


def judge_authorities(world: World) -> Iterator[Diagnosis]:
    """Judge the keys of each use that this server has."""
    signers, now = world.known.signers.value, world.clock.now()
    for use in Use:
        if use is Use.JWT and world.settings.server.disable_jwt_svids:
            continue
        keyring = signers.keyrings.get(use, Keyring(use))
        signing = signers.active.get(use)
        yield judge_keyring(keyring, has_key=signing is not None, now=now)


def judge_keyring(keyring: Keyring, *, has_key: bool, now: float) -> Diagnosis:
    """Whether one key signs, lasts, and has a successor when it is time for one."""
    check = f"{keyring.use.value} authority"
    active, prepared = keyring.active, keyring.prepared
    if active is None or not has_key:
        return failed(check, "no key signs: nothing of this kind is issued", _REMEDY)
    if not is_usable(active, now):
        return failed(check, f"{_name(active)} is not valid now", "set the server's clock")
    detail = f"{_name(active)} signs, and is good for {span(active.not_after - now)}"
    late = now - TIMETABLE.prepare_at(active)
    if prepared is None and late > OVERDUE:
        return warning(
            check, f"{detail}; its successor should have been published {span(late)} ago", _REMEDY
        )
    if prepared is not None:
        late = now - TIMETABLE.activate_at(active, prepared)
        if late > OVERDUE:
            return warning(
                check,
                f"{detail}; {_name(prepared)} should have taken over {span(late)} ago",
                _REMEDY,
            )
        return ok(check, f"{detail}; {_name(prepared)} is published to follow it")
    return ok(check, detail)


def judge_federated(world: World) -> Diagnosis:
    """Whether the bundles of other trust domains still verify anything."""
    now = world.clock.now()
    federated = world.known.federated.value
    gone = sorted(
        domain.name
        for domain, bundle in federated.items()
        if bundle.x509_authorities
        and all(each.not_after <= now for each in bundle.x509_authorities)
    )
    if gone:
        return warning(
            FEDERATION,
            f"all authorities have expired in the bundle of {some(gone)}",
            "store its present bundle on the server",
        )
    return ok(
        FEDERATION,
        many(len(federated), "bundle of another trust domain", "bundles of other trust domains"),
    )


def _name(slot: Slot) -> str:
    return slot.authority_id[:12]
