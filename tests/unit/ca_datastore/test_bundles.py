"""Bundles and authorities in the datastore."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ca.authority.slot import Phase, Use
from ca.datastore.bundles import DeleteMode
from ca.registry.change import Topic
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.datastore import TRUST_DOMAIN, bundle, entry, opened, slot

OTHER = TrustDomain("other.example")


async def refusal_of(act: Awaitable[Any]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await act
    return refused.value


def with_authority(before: Bundle, der: bytes) -> Bundle:
    return replace(before, x509_authorities=(*before.x509_authorities, X509Authority(der)))


def test_authorities_and_bundle_are_stored_together(tmp_path: Path) -> None:
    """A server's slots and the bundle that publishes them come back as they were saved (BX-14)."""

    async def act() -> None:
        slots = (slot("k1", use=Use.JWT), slot("a1", Phase.OLD), slot("a2", Phase.PREPARED))
        async with opened(tmp_path) as datastore:
            assert await datastore.load_keyring("one") == ()
            stored = await datastore.save_authorities("one", slots, bundle(b"a"))
            assert stored == bundle(b"a", sequence=1)
            await datastore.save_authorities("two", slots[:1], stored)
        async with opened(tmp_path) as datastore:
            assert await datastore.load_keyring("one") == slots
            assert await datastore.load_authorities() == {"one": slots, "two": slots[:1]}
            assert await datastore.bundle() == stored
            topics = [change.topic for change in await datastore.changes_after(0)]
            assert topics == [Topic.BUNDLE, Topic.AUTHORITIES, Topic.AUTHORITIES]

    asyncio.run(act())


def test_saving_replaces_only_the_own_slots(tmp_path: Path) -> None:
    """One server's slots are replaced as a whole, another server's stay."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            first = await datastore.save_authorities("one", [slot("a1")], bundle(b"a"))
            await datastore.save_authorities("two", [slot("b1")], first)
            await datastore.save_authorities("one", [], first)
            assert await datastore.load_authorities() == {"two": (slot("b1"),)}

    asyncio.run(act())


def test_bundle_sequence_grows_strictly(tmp_path: Path) -> None:
    """Every change of the own bundle adds one to its sequence, and no change adds none."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            first = await datastore.save_authorities("one", [], bundle(b"a"))
            same = await datastore.save_authorities("one", [], first)
            grown = await datastore.save_authorities("one", [], with_authority(first, b"b"))
            assert (first.sequence, same.sequence, grown.sequence) == (1, 1, 2)

    asyncio.run(act())


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_bundle_that_moved_on_is_not_overwritten(tmp_path: Path, sequence: int) -> None:
    """A bundle made from another than the stored one is refused, and its slots with it."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            stored = await datastore.save_authorities("one", [slot("a1")], bundle(b"a"))
            await datastore.save_authorities("one", [slot("a1")], with_authority(stored, b"b"))
            late = bundle(b"c", sequence=sequence)
            refusal = await refusal_of(datastore.save_authorities("one", [slot("a9")], late))
            assert (refusal.kind, refusal.value) == (Kind.STALE, "2")
            assert await datastore.load_keyring("one") == (slot("a1"),)

    asyncio.run(act())


def test_first_bundle_begins_at_nothing(tmp_path: Path) -> None:
    """Where there is no bundle yet, one that was made from another is refused."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            refusal = await refusal_of(
                datastore.save_authorities("one", [], bundle(b"a", sequence=4))
            )
            assert (refusal.kind, refusal.value) == (Kind.STALE, "0")

    asyncio.run(act())


def test_racing_changes_of_the_bundle_all_arrive(tmp_path: Path) -> None:
    """Servers that each append an authority at once lose none of them (BX-18)."""

    async def act() -> None:
        async with opened(tmp_path) as first, opened(tmp_path) as second:
            await asyncio.gather(
                *(
                    each.update_bundle(lambda b, n=n: with_authority(b, b"%d" % n))
                    for n, each in enumerate((first, second) * 4)
                )
            )
            found = await first.bundle()
            assert found is not None
            assert sorted(a.der for a in found.x509_authorities) == [b"%d" % n for n in range(8)]
            assert found.sequence == 8

    asyncio.run(act())


def test_update_of_the_bundle_cannot_set_its_sequence(tmp_path: Path) -> None:
    """The sequence belongs to the datastore, whatever a change says; no change, no sequence."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            tainted = (X509Authority(b"a", tainted=True),)
            stored = await datastore.update_bundle(
                lambda b: replace(b, x509_authorities=tainted, sequence=99)
            )
            assert stored.sequence == 1
            assert (await datastore.update_bundle(lambda b: replace(b, sequence=7))) == stored
            assert await datastore.bundle(TRUST_DOMAIN) == stored

    asyncio.run(act())


def test_federated_bundles_are_created_updated_and_set(tmp_path: Path) -> None:
    """A federated bundle keeps its own sequence; creating needs none, updating one."""

    async def act() -> None:
        theirs = bundle(b"x", trust_domain=OTHER, sequence=40, refresh_hint=60)
        async with opened(tmp_path) as datastore:
            gone = datastore.update_federated_bundle(OTHER, lambda b: b)
            assert (await refusal_of(gone)).kind is Kind.NOT_FOUND
            assert await datastore.create_federated_bundle(theirs) == theirs
            again = datastore.create_federated_bundle(theirs)
            assert (await refusal_of(again)).kind is Kind.EXISTS
            newer = await datastore.update_federated_bundle(
                OTHER, lambda b: replace(b, sequence=41)
            )
            assert await datastore.load_bundles() == {OTHER: newer}
            await datastore.set_federated_bundle(newer)
            await datastore.set_federated_bundle(theirs)
            assert await datastore.bundle(OTHER) == theirs
            topics = [change.topic for change in await datastore.changes_after(0)]
            assert topics == [Topic.FEDERATION] * 3

    asyncio.run(act())


def test_own_trust_domain_is_not_federated_with(tmp_path: Path) -> None:
    """The own bundle cannot be created, set, updated or deleted as a federated one."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            for attempt in (
                datastore.create_federated_bundle(bundle(b"x")),
                datastore.set_federated_bundle(bundle(b"x")),
                datastore.update_federated_bundle(TRUST_DOMAIN, lambda b: b),
                datastore.delete_federated_bundle(TRUST_DOMAIN, DeleteMode.DELETE),
            ):
                assert (await refusal_of(attempt)).kind is Kind.INVALID

    asyncio.run(act())


@pytest.mark.parametrize(
    ("mode", "left"),
    [(DeleteMode.DELETE, []), (DeleteMode.DISSOCIATE, [((), 1)])],
)
def test_deleting_a_federated_bundle(tmp_path: Path, mode: DeleteMode, left: list[Any]) -> None:
    """Its entries are deleted, or part from it with a new revision, as the mode says."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.set_federated_bundle(bundle(trust_domain=OTHER))
            await datastore.create_entries([entry("web", federates_with=(OTHER,))])
            await datastore.delete_federated_bundle(OTHER, mode)
            found = [(e.federates_with, e.revision_number) for e in await datastore.load_entries()]
            assert found == left
            assert await datastore.bundle(OTHER) is None
            again = datastore.delete_federated_bundle(OTHER, mode)
            assert (await refusal_of(again)).kind is Kind.NOT_FOUND

    asyncio.run(act())


def test_restricted_deletion_of_a_federated_bundle(tmp_path: Path) -> None:
    """A bundle that entries federate with is kept in mode RESTRICT, one without is deleted."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.set_federated_bundle(bundle(trust_domain=OTHER))
            await datastore.create_entries([entry("web", federates_with=(OTHER,))])
            refusal = await refusal_of(
                datastore.delete_federated_bundle(OTHER, DeleteMode.RESTRICT)
            )
            assert refusal.kind is Kind.PRECONDITION
            assert "1 registration entries" in refusal.detail
            await datastore.delete_entries(["web"])
            await datastore.delete_federated_bundle(OTHER, DeleteMode.RESTRICT)
            assert await datastore.load_bundles() == {}

    asyncio.run(act())
