"""Administrators' acts on registration entries: create, find, update, delete.

Every write waits until memory has applied it, so that whoever wrote reads what was written.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ca.datastore.entries import Similar
from ca.events.happened import Actor, EntryCreated, EntryDeleted, EntryUpdated
from ca.operations.administration.vet_entries import Vetter, Vetting
from ca.operations.world import World
from ca.registry.admission import judge_entry
from ca.registry.entry import Entry
from ca.registry.entry_filter import EntryFilter
from ca.registry.page import Page
from ca.registry.selectors.judge import unchanged
from finial.spiffe.refusal import Kind, Refusal


class SimilarEntry(Refusal):
    """The entry was not created, because `entry` has the same parent, SPIFFE ID and selectors."""

    def __init__(self, similar: Similar) -> None:
        super().__init__(
            Kind.EXISTS,
            "an entry with this ID already exists"
            if similar.same_id
            else "similar entry already exists",
            field="id",
            value=similar.existing.id,
            remedy="update the existing entry",
        )
        self.entry = similar.existing


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What is to become of an entry; with a revision, only if it still has that one."""

    id: str
    change: Callable[[Entry], Entry]
    expected_revision: int | None = None


async def create_entries(
    world: World,
    actor: Actor,
    wanted: Sequence[Entry | Refusal],
    vetting: Vetting = Vetting.NOTE,
) -> list[Entry | Refusal]:
    """Create entries, each in its place; what could not be read is handed through.

    Raises: Refusal of kind UNAVAILABLE when nothing could be stored or audited.
    Spec: SPIRE BE-01 to BE-12.
    """
    vetter = Vetter(world, vetting)
    judged = [_judged(world, vetter, each) for each in wanted]
    fresh = [each for each in judged if isinstance(each, Entry)]
    if not fresh:
        return list(judged)
    stored = iter(await world.datastore.create_entries(fresh))
    results = [next(stored) if isinstance(each, Entry) else each for each in judged]
    await world.follower.caught_up()
    world.record(
        *(EntryCreated(actor, each) for each in results if isinstance(each, Entry)),
        *vetter.doubted(actor, results),
    )
    return [SimilarEntry(each) if isinstance(each, Similar) else each for each in results]


async def update_entries(
    world: World,
    actor: Actor,
    changes: Sequence[EntryChange | Refusal],
    vetting: Vetting = Vetting.NOTE,
) -> list[Entry | Refusal]:
    """Update entries, each by itself, each in its place; selectors that stay are let be."""
    vetter = Vetter(world, vetting).settle()
    results = await asyncio.gather(*(_update(world, vetter, each) for each in changes))
    await world.follower.caught_up()
    world.record(
        *(EntryUpdated(actor, each) for each in results if isinstance(each, Entry)),
        *vetter.doubted(actor, results),
    )
    return list(results)


async def delete_entries(world: World, actor: Actor, ids: Sequence[str]) -> list[Refusal | None]:
    """Delete entries, each in its place."""
    known = {each: entry for each in ids if (entry := world.known.entries.get(each))}
    deleted = await world.datastore.delete_entries([each for each in ids if each])
    await world.follower.caught_up()
    gone = iter(deleted)
    results: list[Refusal | None] = [
        (None if next(gone) else entry_not_found(each)) if each else _missing_id() for each in ids
    ]
    world.record(
        *(
            EntryDeleted(actor, known.get(each, each))
            for each, result in zip(ids, results, strict=True)
            if result is None
        )
    )
    return results


def find_entry(world: World, entry_id: str) -> Entry:
    """Return one entry.

    Raises: Refusal of kind INVALID, NOT_FOUND.
    """
    if not entry_id:
        raise Refusal(Kind.INVALID, "missing ID", field="id")
    if (entry := world.known.entries.get(entry_id)) is None:
        raise entry_not_found(entry_id)
    return entry


def list_entries(world: World, wanted: EntryFilter | None, size: int, token: str) -> Page[Entry]:
    """Return a page of the entries that match, in the order of creation; a size of 0 means all.

    Raises: Refusal of kind INVALID.
    """
    return world.known.entries.page(wanted, size, token)


def count_entries(world: World, wanted: EntryFilter | None) -> int:
    """Count the entries that match."""
    return world.known.entries.count(wanted)


def entry_not_found(entry_id: str) -> Refusal:
    """Say that there is no such entry, in the words that SPIRE's clients know."""
    return Refusal(Kind.NOT_FOUND, "entry not found", field="id", value=entry_id[:255])


def _missing_id() -> Refusal:
    return Refusal(Kind.INVALID, "missing entry ID", field="id")


def _judged(world: World, vetter: Vetter, entry: Entry | Refusal) -> Entry | Refusal:
    if isinstance(entry, Refusal):
        return entry
    named = msgspec.structs.replace(
        entry,
        id=entry.id or world.entropy.uuid(),
        revision_number=0,
        created_at=int(world.clock.now()),
    )
    try:
        judged = judge_entry(named, world.trust_domain, world.known.federated.value)
        return vetter.admit(judged)
    except Refusal as refusal:
        return refusal


async def _update(world: World, vetter: Vetter, change: EntryChange | Refusal) -> Entry | Refusal:
    if isinstance(change, Refusal):
        return change
    if not change.id:
        return _missing_id()
    bundles = frozenset(world.known.federated.value)

    def apply(entry: Entry) -> Entry:
        judged = judge_entry(change.change(entry), world.trust_domain, bundles)
        return vetter.admit(judged, unchanged(entry, judged))

    try:
        return await world.datastore.update_entry(
            change.id, apply, expected_revision=change.expected_revision
        )
    except Refusal as refusal:
        return entry_not_found(change.id) if refusal.kind is Kind.NOT_FOUND else refusal
