"""Our own keys are prepared, activated and retired, as the timetable says.

What an authority signs may be met by anybody who knows the bundle, so a slot and its part of the
bundle are stored in one transaction, and a key is durable before its slot is stored. A key is
deleted after its slot is gone. Whatever a crash leaves behind is tidied at the next start.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ca.authority.keyring import Keyring, jwt_authorities, x509_authorities
from ca.authority.rotation import Activate, Prepare, Retire, Step, Timetable, next_step, next_wake
from ca.authority.slot import Phase, Slot, Use
from ca.events.happened import (
    SYSTEM,
    AuthorityActivated,
    AuthorityPrepared,
    AuthorityRetired,
    Event,
)
from ca.issuance.conformance import conform
from ca.issuance.draft import draft_authority
from ca.issuance.issuer import Issuer
from ca.issuance.new_slot import jwt_slot, x509_slot
from ca.issuance.seal import SigningAuthority, seal_authority
from ca.operations.following.known import Signers
from ca.operations.world import World
from finial.spiffe.bundle import Bundle
from finial.spiffe.refusal import Kind, Refusal

TIMETABLE: Final = Timetable()
_ATTEMPTS: Final = 5
_logger = logging.getLogger("finial.ca.authority")


async def load_authorities(world: World) -> None:
    """Take up this server's authorities where it left them.

    One that should sign and whose key is lost becomes old, so that another is made at once.
    """
    slots = await world.datastore.load_keyring(world.server_id)
    keys = {slot.key_id: await world.keys.find(slot.key_id) for slot in slots}
    usable = [_without_key(slot) if keys[slot.key_id] is None else slot for slot in slots]
    keyrings = {use: Keyring.of(use, usable) for use in Use}
    await _hold(world, keyrings)
    for key_id in await world.keys.key_ids():
        if key_id not in keys and key_id.startswith(tuple(f"{use}-" for use in Use)):
            await world.keys.delete(key_id)


async def rotate_authorities(world: World) -> float:
    """Take every step that is due; return the Unix second at which to look again.

    Raises: Refusal of kind UNAVAILABLE when a step could not be stored.
    Spec: SPIRE BX-02 to BX-05, BX-16, BX-17, BJ-01.
    """
    wakes = []
    for use in Use:
        if use is Use.JWT and world.settings.server.disable_jwt_svids:
            continue
        while step := next_step(_keyring(world, use), TIMETABLE, world.clock.now()):
            await _take(world, use, step)
        wakes.append(next_wake(_keyring(world, use), TIMETABLE, world.clock.now()))
    return min(wakes)


async def _take(world: World, use: Use, step: Step) -> None:
    keyring = _keyring(world, use)
    event: Event
    match step:
        case Prepare():
            slot = await _new_slot(world, use)
            keyring = keyring.with_prepared(slot)
            event = AuthorityPrepared(SYSTEM, slot)
        case Activate(slot):
            keyring = keyring.with_activated(slot.authority_id)
            event = AuthorityActivated(SYSTEM, slot)
        case Retire(slot):
            keyring = keyring.without(slot.authority_id)
            event = AuthorityRetired(SYSTEM, slot)
    world.record(event)
    await _store(world, use, keyring)
    _logger.info("%s %s %s", event.kind, use, slot.authority_id)
    if isinstance(step, Retire):
        await world.keys.delete(slot.key_id)


async def _new_slot(world: World, use: Use) -> Slot:
    server = world.settings.server
    key_id = f"{use}-{world.entropy.uuid()}"
    key_type = server.ca_key_type if use is Use.X509 else server.jwt_key
    key = await world.keys.generate(key_id, key_type)
    now = world.clock.now()
    if use is Use.X509:
        draft = draft_authority(
            world.profiles,
            public_key=key.public_key(),
            serial=world.entropy.serial_number(),
            now=now,
        )
        return x509_slot(seal_authority(conform(draft), key), key_id)
    # 32 letters and digits, as SPIRE's key IDs are (BJ-02).
    authority_id = world.entropy.uuid().replace("-", "")
    return jwt_slot(
        world.profiles,
        authority_id=authority_id,
        key_id=key_id,
        public_key=key.public_key(),
        now=now,
    )


async def _store(world: World, use: Use, keyring: Keyring) -> None:
    before = world.known.signers.value.keyrings
    after = {**before, use: keyring}
    old_slots, new_slots = _slots(before.values()), _slots(after.values())
    for attempt in range(_ATTEMPTS):
        base = await world.datastore.bundle() or Bundle(world.trust_domain)
        bundle = publish(base, old_slots, new_slots)
        try:
            await world.datastore.save_authorities(world.server_id, new_slots, bundle)
            break
        except Refusal as refusal:
            # Another server, or an administrator, changed the bundle meanwhile.
            if refusal.kind is not Kind.STALE or attempt == _ATTEMPTS - 1:
                raise
    await world.follower.caught_up()
    await _hold(world, after)


def publish(base: Bundle, before: Iterable[Slot], after: Iterable[Slot]) -> Bundle:
    """Replace our own part of a bundle; what others put there stays."""
    before, after = tuple(before), tuple(after)
    ours_x509 = {each.der for each in x509_authorities(before)}
    ours_jwt = {each.key_id for each in jwt_authorities(before)}
    new_x509, new_jwt = x509_authorities(after), jwt_authorities(after)
    new_ders = {each.der for each in new_x509}
    new_ids = {each.key_id for each in new_jwt}
    return replace(
        base,
        x509_authorities=(
            *(e for e in base.x509_authorities if e.der not in ours_x509 | new_ders),
            *new_x509,
        ),
        jwt_authorities=(
            *(e for e in base.jwt_authorities if e.key_id not in ours_jwt | new_ids),
            *new_jwt,
        ),
    )


async def _hold(world: World, keyrings: dict[Use, Keyring]) -> None:
    active = {}
    for use, keyring in keyrings.items():
        slot = keyring.active
        key = await world.keys.find(slot.key_id) if slot else None
        if slot is not None and key is not None:
            active[use] = SigningAuthority(slot, key)
    x509 = active.get(Use.X509)
    issuer = Issuer.of(x509.slot, world.trust_domain) if x509 else None
    world.known.signers.set(Signers(keyrings, active, issuer))


def _without_key(slot: Slot) -> Slot:
    """What becomes of a slot whose key is lost: it can only wait for what it signed to expire."""
    if slot.phase is not Phase.OLD:
        _logger.warning("the key of %s authority %s is lost", slot.use, slot.authority_id)
    return replace(slot, phase=Phase.OLD, last_expiry=slot.last_expiry or slot.not_after)


def _keyring(world: World, use: Use) -> Keyring:
    return world.known.signers.value.keyrings.get(use, Keyring(use))


def _slots(keyrings: Iterable[Keyring]) -> tuple[Slot, ...]:
    return tuple(slot for keyring in keyrings for slot in keyring.slots)
