"""What is blocked is written into one document, with the authorities' revocation lists, and told.

It is made anew whenever blocks, entries, nodes or authorities change, when a block ends, and every
half minute while anything is blocked, because another server may just have issued what it did not
know to be blocked. Nothing is told unless something in it is other than before. Where the ledger is
long, agents are told what is blocked first, and then which SVIDs that hits.

Its version is the instant at which it was made, in milliseconds, and always higher than the one
before: it survives a restart, a restored database, and a clock that was set back (an agent that
says it holds a later version moves ours beyond it).
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ca.authority.slot import Slot, Use
from ca.datastore.blocks import Wanted
from ca.issuance.issuer import Issuer
from ca.issuance.revocation import Revoked, draft_crl
from ca.issuance.seal import SigningAuthority, seal_crl
from ca.operations.following.follower import blocks_change
from ca.operations.following.known import PublishedBlocks
from ca.operations.world import World
from ca.registry.block.reach import MAX_SVIDS, Reach, document_of, fitting, reach_of
from ca.registry.issued import Issued, SvidKind
from finial.blocks import Block, BlocksDocument, Crl

SLOW: Final = 0.1
"""Seconds: if the ledger took longer the last time, agents are told before it is asked."""

LONG_LIST: Final = 500
"""So many rows of a revocation list are signed in a thread, not in line."""

_logger = logging.getLogger("finial.ca.blocks")


async def publish_blocks(world: World) -> BlocksDocument:
    """Make the document of this moment, tell agents if it is another one, and return it.

    Raises: Refusal of kind UNAVAILABLE.
    """
    known = world.known
    async with world.revocation.lock:
        known.blocks_wanted.clear()
        if world.revocation.seconds > SLOW:
            _tell(world, _hastily(world))
        begun = world.clock.monotonic()
        made = await _make(world)
        world.revocation.seconds = world.clock.monotonic() - begun
        _tell(world, made)
        return known.blocks_told.value.document


def _tell(world: World, made: BlocksDocument) -> None:
    known, before = world.known, world.known.blocks_told.value.document
    made = fitting(made)
    if made.shortened and not before.shortened:
        _logger.warning("not all that is hit by blocks fits into what agents are told")
    if not _same(made, before) or before.version < known.blocks_floor:
        known.blocks_told.set(PublishedBlocks.of(made))
        world.streams.tell_able(blocks_change(known))


def _hastily(world: World) -> BlocksDocument:
    """What is blocked, before the ledger was asked which SVIDs that hits: with those of before."""
    known = world.known
    before = known.blocks_told.value.document
    holding = known.blocks.holding(world.clock.now())
    ids = {each.id for each in holding}
    reach = reach_of(holding, known.entries, known.nodes)
    document = document_of(_version(world), holding, reach, (), shortened=before.shortened)
    serials = {name: block for name, block in before.serials.items() if block in ids}
    jtis = {name: block for name, block in before.jtis.items() if block in ids}
    return msgspec.structs.replace(
        document,
        serials=serials | document.serials,
        jtis=jtis | document.jtis,
        crls=before.crls,
    )


def _version(world: World) -> int:
    known = world.known
    before = known.blocks_told.value.document.version
    return max(int(world.clock.now() * 1000), before + 1, known.blocks_floor + 1)


async def _make(world: World) -> BlocksDocument:
    known, now = world.known, world.clock.now()
    version = _version(world)
    holding = known.blocks.holding(now)
    reach = reach_of(holding, known.entries, known.nodes)
    live: list[Issued] = []
    more = False
    if holding:
        live, more = await world.datastore.live_svids(wanted_by(reach), now, MAX_SVIDS)
    document = document_of(version, holding, reach, live, shortened=more)
    crls = await _crls(world, version, _revoked(holding, reach, live))
    return msgspec.structs.replace(document, crls=crls)


async def _crls(
    world: World, number: int, revoked: Mapping[str, Sequence[Revoked]]
) -> tuple[Crl, ...]:
    keyring = world.known.signers.value.keyrings.get(Use.X509)
    former, lists = world.revocation.latest, {}
    for slot in keyring.slots if keyring else ():
        if slot.not_after <= world.clock.now():
            continue
        rows = tuple(revoked.get(slot.authority_id, ()))
        known = former.get(slot.authority_id)
        if known is not None and known[0] == rows:
            lists[slot.authority_id] = known
        elif (crl := await _sign(world, slot, number, rows)) is not None:
            lists[slot.authority_id] = rows, crl
    world.revocation.latest = lists
    return tuple(crl for _, crl in lists.values())


async def _sign(world: World, slot: Slot, number: int, rows: tuple[Revoked, ...]) -> Crl | None:
    key = await world.keys.find(slot.key_id)
    if key is None:
        _logger.warning("authority %s has no key to sign its CRL", slot.authority_id)
        return None
    authority = SigningAuthority(slot, key)
    draft = draft_crl(Issuer.of(slot, world.trust_domain), number, world.clock.now(), rows)
    if authority.is_quick and len(rows) < LONG_LIST:
        sealed = seal_crl(draft, authority)
    else:
        sealed = await asyncio.to_thread(seal_crl, draft, authority)
    return Crl(slot.authority_id, sealed, draft.next_update)


def wanted_by(reach: Reach) -> Wanted:
    """Say which live SVIDs a reach hits."""
    agents = frozenset(reach.agents)
    return Wanted(
        spiffe_ids=frozenset(reach.spiffe_ids) | agents,
        entry_ids=frozenset(reach.entries),
        agent_ids=agents,
        serials=frozenset(reach.serials),
        jtis=frozenset(reach.jtis),
    )


def _revoked(
    blocks: Iterable[Block], reach: Reach, live: Iterable[Issued]
) -> dict[str, list[Revoked]]:
    """What each authority's list says, sorted by serial number."""
    since = {each.id: each.since for each in blocks}
    found: dict[str, list[Revoked]] = {}
    for svid in live:
        if svid.kind is SvidKind.X509:
            block = reach.of(svid) or reach.spiffe_ids[svid.spiffe_id]
            row = Revoked(int(svid.serial), since[block])
            found.setdefault(svid.authority_id, []).append(row)
    for rows in found.values():
        rows.sort(key=lambda each: each.serial)
    return found


def _same(one: BlocksDocument, other: BlocksDocument) -> bool:
    return msgspec.structs.replace(one, version=other.version) == other
