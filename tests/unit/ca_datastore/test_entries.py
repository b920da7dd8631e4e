"""Registration entries in the datastore."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from ca.datastore.entries import Similar
from ca.registry.change import Topic
from ca.registry.entry import Entry
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.clock import NOW, StandingClock
from tests.doubles.datastore import bundle, entry, opened, workload

OTHER = TrustDomain("other.example")


def full(name: str) -> Entry:
    return entry(
        name,
        x509_svid_ttl=60,
        jwt_svid_ttl=30,
        federates_with=(OTHER, TrustDomain("third.example")),
        admin=True,
        downstream=True,
        store_svid=True,
        expires_at=int(NOW) + 5,
        dns_names=("web.example.org", "a.example.org"),
        hint="internal",
        disable_x509_svid_prefetch=True,
        jwt_svid_include_jti=True,
        attributes=(("role", "web"), ("team", "ü")),
        created_at=int(NOW) - 9,
    )


def test_entry_comes_back_whole(tmp_path: Path) -> None:
    """Every member of an entry is read as it was written, also after a restart."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            for each in (OTHER, TrustDomain("third.example")):
                await datastore.set_federated_bundle(bundle(trust_domain=each))
            assert await datastore.create_entries([full("web"), entry("plain")]) == [
                full("web"),
                entry("plain", created_at=int(NOW)),
            ]
        async with opened(tmp_path) as datastore:
            expected = [entry("plain", created_at=int(NOW)), full("web")]
            assert sorted(await datastore.load_entries(), key=lambda e: e.id) == expected
            assert await datastore.entries_by_id(["web", "plain", "none"]) == expected
            assert await datastore.entry("web") == full("web")
            assert await datastore.entry("none") is None

    asyncio.run(act())


def test_equal_parts_are_one_object(tmp_path: Path) -> None:
    """Loading shares equal parents and selectors, which keeps memory small."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            same = (Selector("unix", "uid:1000"),)
            await datastore.create_entries([entry("a", selectors=same), entry("b", selectors=same)])
            first, second = await datastore.load_entries()
            assert first.parent_id is second.parent_id
            assert first.spiffe_id.trust_domain is second.spiffe_id.trust_domain
            assert first.selectors is second.selectors

    asyncio.run(act())


def test_similar_entry_is_answered_with_the_existing_one(tmp_path: Path) -> None:
    """Same parent, SPIFFE ID and selector set, in any order: the existing entry (BE-11)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            [first] = await datastore.create_entries([entry("web")])
            twin = msgspec.structs.replace(
                entry("web"), id="twin", selectors=entry("web").selectors[::-1]
            )
            other = msgspec.structs.replace(twin, id="other", selectors=twin.selectors[:1])
            results = await datastore.create_entries([twin, other, twin])
            assert results[0] == results[2] == Similar(first)  # type: ignore[arg-type]
            assert isinstance(results[1], Entry)
            assert len(await datastore.load_entries()) == 2

    asyncio.run(act())


def test_similar_entries_in_one_batch(tmp_path: Path) -> None:
    """Of two similar entries in one batch the first is made and the second answered with it."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            twin = msgspec.structs.replace(entry("web"), id="twin")
            first, second = await datastore.create_entries([entry("web"), twin])
            assert isinstance(first, Entry)
            assert second == Similar(first)

    asyncio.run(act())


def test_taken_id_is_told_apart(tmp_path: Path) -> None:
    """An id that another entry has is refused with that entry."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            [first] = await datastore.create_entries([entry("web")])
            results = await datastore.create_entries([entry("web", spiffe_id=workload("db"))])
            assert results == [Similar(first, same_id=True)]  # type: ignore[arg-type]

    asyncio.run(act())


def test_racing_creations_make_one_entry(tmp_path: Path) -> None:
    """Callers that create the same entry at once get one entry between them (BE-11)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            wanted = [msgspec.structs.replace(entry("web"), id=f"web-{n}") for n in range(20)]
            results = await asyncio.gather(*(datastore.create_entries([e]) for e in wanted))
            made = [result for [result] in results if isinstance(result, Entry)]
            assert len(made) == 1
            assert len(await datastore.load_entries()) == 1

    asyncio.run(act())


def test_unknown_federated_bundle_is_refused(tmp_path: Path) -> None:
    """An entry federates only with trust domains whose bundle is known (BE-08)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            with pytest.raises(Refusal) as refused:
                await datastore.create_entries([entry("ok"), entry("web", federates_with=(OTHER,))])
            assert refused.value.kind is Kind.INVALID
            assert refused.value.value == "other.example"
            assert await datastore.load_entries() == []
            assert await datastore.latest_sequence() == 0

    asyncio.run(act())


def test_update_counts_revisions(tmp_path: Path) -> None:
    """Each real change adds one to the revision and keeps id and creation time (BE-12, TR-08)."""

    async def act() -> None:
        clock = StandingClock()
        async with opened(tmp_path, clock) as datastore:
            await datastore.create_entries([entry("web")])
            clock.advance(60)
            changed = await datastore.update_entry(
                "web",
                lambda e: msgspec.structs.replace(e, hint="x", id="other", created_at=1),
                expected_revision=0,
            )
            assert (changed.id, changed.hint) == ("web", "x")
            assert (changed.revision_number, changed.created_at) == (1, int(NOW))
            assert await datastore.entry("web") == changed

    asyncio.run(act())


def test_update_that_changes_nothing_is_not_one(tmp_path: Path) -> None:
    """An update to the same values moves neither the revision nor the changes (TR-08)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("web")])
            before = await datastore.latest_sequence()
            assert (await datastore.update_entry("web", lambda e: e)).revision_number == 0
            assert await datastore.latest_sequence() == before

    asyncio.run(act())


def test_stale_update_is_refused(tmp_path: Path) -> None:
    """An update that expects another revision is refused with the present one."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("web")])
            with pytest.raises(Refusal) as refused:
                await datastore.update_entry("web", lambda e: e, expected_revision=3)
            assert (refused.value.kind, refused.value.value) == (Kind.STALE, "0")

    asyncio.run(act())


def test_update_of_a_missing_entry_is_refused(tmp_path: Path) -> None:
    """An entry that is not there cannot be updated."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            with pytest.raises(Refusal) as refused:
                await datastore.update_entry("none", lambda e: e)
            assert refused.value.kind is Kind.NOT_FOUND

    asyncio.run(act())


def test_update_to_a_similar_entry_is_refused(tmp_path: Path) -> None:
    """An update may not make two entries the same but for their ids (BE-11)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("web"), entry("db")])
            web = entry("web")
            with pytest.raises(Refusal) as refused:
                await datastore.update_entry(
                    "db",
                    lambda e: msgspec.structs.replace(
                        e, spiffe_id=web.spiffe_id, selectors=web.selectors
                    ),
                )
            assert (refused.value.kind, refused.value.value) == (Kind.EXISTS, "web")
            assert (await datastore.entries_by_id(["db"]))[0].spiffe_id == workload("db")

    asyncio.run(act())


def test_update_replaces_federation(tmp_path: Path) -> None:
    """The trust domains an entry federates with are replaced with the rest of it."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.set_federated_bundle(bundle(trust_domain=OTHER))
            await datastore.create_entries([entry("web", federates_with=(OTHER,))])
            await datastore.update_entry(
                "web", lambda e: msgspec.structs.replace(e, federates_with=())
            )
            assert (await datastore.entries_by_id(["web"]))[0].federates_with == ()

    asyncio.run(act())


def test_delete_says_what_was_there(tmp_path: Path) -> None:
    """A deletion answers for each id, and leaves no federation behind."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.set_federated_bundle(bundle(trust_domain=OTHER))
            await datastore.create_entries([entry("web", federates_with=(OTHER,)), entry("db")])
            assert await datastore.delete_entries(["none", "web", "web"]) == [False, True, False]
            assert [e.id for e in await datastore.load_entries()] == ["db"]
            await datastore.create_entries([entry("web")])
            assert (await datastore.entries_by_id(["web"]))[0].federates_with == ()

    asyncio.run(act())


def test_expired_entries_are_pruned(tmp_path: Path) -> None:
    """Entries that expired before now go, those without expiry stay (BE-13)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries(
                [
                    entry("gone", expires_at=int(NOW) - 1),
                    entry("now", expires_at=int(NOW)),
                    entry("never"),
                ]
            )
            assert [e.id for e in await datastore.prune_expired_entries(NOW)] == ["gone"]
            assert await datastore.prune_expired_entries(NOW) == []
            assert {e.id for e in await datastore.load_entries()} == {"now", "never"}

    asyncio.run(act())


def test_every_act_on_entries_is_a_change(tmp_path: Path) -> None:
    """Creation, update and deletion each leave one change that names the entries they touched."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("a"), entry("b")])
            await datastore.create_entries([entry("a")])
            await datastore.update_entry("a", lambda e: msgspec.structs.replace(e, hint="x"))
            await datastore.delete_entries(["b", "none"])
            found = await datastore.changes_after(0)
            assert [(c.sequence, c.topic, c.ids) for c in found] == [
                (1, Topic.ENTRIES, ("a", "b")),
                (2, Topic.ENTRIES, ("a",)),
                (3, Topic.ENTRIES, ("b",)),
            ]
            assert datastore.committed_sequence == 3

    asyncio.run(act())


def test_large_batches_are_read_and_written_in_parts(tmp_path: Path) -> None:
    """More entries than one statement takes are created, read and deleted all the same."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            wanted = [entry(f"e{n:05}") for n in range(2600)]
            await datastore.create_entries(wanted)
            ids = [e.id for e in wanted]
            assert [e.id for e in await datastore.entries_by_id(ids)] == ids
            assert all(await datastore.delete_entries(ids))
            assert await datastore.load_entries() == []

    asyncio.run(act())
