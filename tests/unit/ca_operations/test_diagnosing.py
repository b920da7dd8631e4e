"""What a server says of itself when its administrator asks whether everything is well."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ca.authority.keyring import Keyring
from ca.authority.slot import Phase, Slot, Use
from ca.events.happened import Actor, ActorKind, CallRefused
from ca.operations.administration.administer_agents import ban_agent
from ca.operations.administration.administer_entries import create_entries
from ca.operations.diagnosing import diagnose
from ca.operations.diagnosing.authorities import judge_keyring
from ca.operations.diagnosing.ground import database_folder
from ca.operations.following.known import PublishedBlocks
from ca.operations.following.streams import ENTRIES, Changed
from ca.registry.issued import Issued, SvidKind
from finial.blocks import BlocksDocument
from finial.explain.diagnosis import Diagnosis, Health
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entries import entry, sid
from tests.doubles.house import Agent, House, house

EVERYTHING = {
    "database",
    "disk",
    "audit log",
    "open files",
    "x509 authority",
    "jwt authority",
    "federation",
    "lifetimes",
    "rate limits",
    "agents",
    "entries reached",
    "agents in step",
    "blocks",
    "rules in step",
    "agent SVIDs",
    "entries used",
    "identities",
}
ADMIN = Actor(ActorKind.LOCAL, uid=0)


def play(folder: Path, act: Callable[[House], Awaitable[None]], **settings: Any) -> None:
    """Play one scene in a server's house."""

    async def scene() -> None:
        async with house(folder, **settings) as built:
            await act(built)

    asyncio.run(scene())


async def diagnosed(built: House) -> dict[str, Diagnosis]:
    """What the server finds, by the names of the checks."""
    return {each.check: each for each in await diagnose(built.world)}


async def issued(built: House, entry_id: str, agent: Agent, *, since: int, left: int) -> None:
    """Write down an X509-SVID of an entry at an agent."""
    now = int(built.clock.now())
    row = Issued(
        SvidKind.X509,
        str(now),
        "spiffe://example.org/web",
        "aa",
        now - since,
        now + left,
        entry_id,
        str(agent.id),
    )
    await built.world.datastore.record_issued([row])


def test_a_new_server_is_well(tmp_path: Path) -> None:
    """Every check is there, and where nothing is wrong nothing is to be done."""

    async def act(built: House) -> None:
        found = await diagnosed(built)
        assert set(found) == EVERYTHING
        built_here = set(found) - {"disk", "open files", "audit log"}
        assert {found[name].health for name in built_here} == {Health.OK}, found

    play(tmp_path, act)


def test_a_database_that_takes_no_write_is_found(tmp_path: Path) -> None:
    """The check writes, so that a full disk or a full audit log is found as an act would find it."""

    async def act(built: House) -> None:
        built.audit.is_full = True
        found = await diagnosed(built)
        assert found["database"].health is Health.FAILED
        assert found["audit log"].health is Health.FAILED
        assert "No space left" in found["audit log"].detail

    play(tmp_path, act)


def test_an_agent_without_a_stream_is_named(tmp_path: Path) -> None:
    """One that attested and is not connected may be of SPIRE, so it is a warning."""

    async def act(built: House) -> None:
        agent = await built.join()
        found = await diagnosed(built)
        assert found["agents"].health is Health.WARNING
        assert "1 of 1 agent" in found["agents"].detail
        assert "join_token/" in found["agents"].detail
        built.world.streams.open(agent.id)
        assert (await diagnosed(built))["agents"].health is Health.OK
        await ban_agent(built.world, ADMIN, agent.id)
        assert (await diagnosed(built))["agents"].detail.startswith("0 agents")

    play(tmp_path, act)


def test_an_agent_that_does_not_apply_what_it_was_told_is_named(tmp_path: Path) -> None:
    """It is given two seconds, which an agent that is well does not need."""

    async def act(built: House) -> None:
        agent = await built.join()
        stream = built.world.streams.open(agent.id)
        stream.tell(Changed(ENTRIES, 7))
        asking = asyncio.ensure_future(diagnosed(built))
        while not asking.done():
            await built.clock.pass_time(0.5)
            await asyncio.sleep(0.002)  # noqa: TID251 - threads need real moments
        assert (await asking)["agents in step"].health is Health.WARNING
        stream.note_applied(ENTRIES, 7)
        assert (await diagnosed(built))["agents in step"].health is Health.OK

    play(tmp_path, act)


def test_agents_whose_svid_runs_out_or_has_run_out_are_named(tmp_path: Path) -> None:
    """Renewal is at half of a life: with less than three tenths left somebody should look."""

    async def act(built: House) -> None:
        agent = await built.join()
        assert (await diagnosed(built))["agent SVIDs"].health is Health.OK
        built.clock.jump(2700)
        late = (await diagnosed(built))["agent SVIDs"]
        assert late.health is Health.WARNING
        assert "did not renew in time" in late.detail
        assert agent.id.path.rpartition("/")[2] in late.detail
        built.clock.jump(2700)
        gone = (await diagnosed(built))["agent SVIDs"]
        assert "1 agent expired" in gone.detail
        assert "finial agent purge" in gone.remedy

    play(tmp_path, act)


def test_entries_that_nobody_reaches_or_uses_are_named(tmp_path: Path) -> None:
    """An entry below an unknown parent reaches nobody; one older than a day without SVIDs is idle."""

    async def act(built: House) -> None:
        agent = await built.join()
        lost = entry("lost", parent_id=sid("/nowhere"))
        idle = entry("idle", parent_id=agent.id)
        await create_entries(built.world, ADMIN, [lost, idle])
        found = await diagnosed(built)
        assert found["entries reached"].health is Health.WARNING
        assert "spiffe://example.org/nowhere" in found["entries reached"].detail
        assert found["entries used"].health is Health.OK
        built.clock.jump(86_401)
        [kept] = [each for each in built.world.known.entries if each.parent_id == agent.id]
        await issued(built, kept.id, agent, since=10, left=3590)
        used = (await diagnosed(built))["entries used"]
        assert used.health is Health.WARNING
        assert kept.id not in used.detail
        assert "for 1 entry" in used.detail

    play(tmp_path, act)


def test_svids_of_workloads_that_nobody_renews_are_named(tmp_path: Path) -> None:
    """As long as its entry is still the agent's, an SVID is renewed; a successor makes it well."""

    async def act(built: House) -> None:
        agent = await built.join()
        await create_entries(built.world, ADMIN, [entry("web", parent_id=agent.id)])
        [web] = built.world.known.entries
        await issued(built, web.id, agent, since=3000, left=600)
        late = (await diagnosed(built))["identities"]
        assert late.health is Health.WARNING
        assert "10 min" in late.detail
        await issued(built, web.id, agent, since=0, left=3600)
        assert (await diagnosed(built))["identities"].health is Health.OK
        await issued(built, "deleted", agent, since=3000, left=600)
        assert (await diagnosed(built))["identities"].health is Health.OK

    play(tmp_path, act)


def test_who_asks_too_often_is_named_for_an_hour(tmp_path: Path) -> None:
    """Refusals for asking too often are remembered by method and caller, for an hour."""

    async def act(built: House) -> None:
        refusal = Refusal(Kind.EXHAUSTED, "too often")
        caller = Actor(ActorKind.NOBODY, address="192.0.2.7:4711")
        for _ in range(3):
            built.world.record(CallRefused(caller, "/spire.api/AttestAgent", refusal))
        other = Refusal(Kind.DENIED, "no")
        built.world.record(CallRefused(caller, "/spire.api/AttestAgent", other))
        found = (await diagnosed(built))["rate limits"]
        assert found.health is Health.WARNING
        assert "/spire.api/AttestAgent by 192.0.2.7" in found.detail
        assert "3 calls were" in found.detail
        for _ in range(70):
            built.clock.advance(60)
        assert (await diagnosed(built))["rate limits"].health is Health.OK

    play(tmp_path, act)


def test_lifetimes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """SC-10: an SVID that lives longer than a sixth of its authority will often be cut short."""

    async def act(built: House) -> None:
        found = (await diagnosed(built))["lifetimes"]
        assert found.health is Health.WARNING
        assert "default_x509_svid_ttl of 1 h" in found.detail

    play(tmp_path, act, ca_ttl="2h")


def slot(phase: Phase, begin: float, end: float) -> Slot:
    return Slot(Use.X509, phase, f"{phase}-{begin:g}", "key", b"", int(begin), int(end))


DAY = 86_400.0


@pytest.mark.parametrize(
    ("slots", "has_key", "now", "health", "words"),
    [
        ((), False, NOW, Health.FAILED, "no key signs"),
        ((slot(Phase.ACTIVE, NOW, NOW + DAY),), False, NOW, Health.FAILED, "no key signs"),
        ((slot(Phase.ACTIVE, NOW, NOW + DAY),), True, NOW + 9, Health.OK, "good for 23 h 59 min"),
        ((slot(Phase.ACTIVE, NOW, NOW + DAY),), True, NOW + DAY, Health.FAILED, "not valid now"),
        (
            (slot(Phase.ACTIVE, NOW, NOW + DAY),),
            True,
            NOW + DAY * 0.75,
            Health.WARNING,
            "should have been published 5 h 59 min",
        ),
        (
            (slot(Phase.ACTIVE, NOW, NOW + DAY), slot(Phase.PREPARED, NOW + 43200, NOW + 2 * DAY)),
            True,
            NOW + DAY * 0.75,
            Health.OK,
            "is published to follow it",
        ),
        (
            (slot(Phase.ACTIVE, NOW, NOW + DAY), slot(Phase.PREPARED, NOW + 43200, NOW + 2 * DAY)),
            True,
            NOW + DAY * 0.9,
            Health.WARNING,
            "should have taken over",
        ),
    ],
)
def test_an_authority_without_a_successor_in_time_is_found(
    slots: tuple[Slot, ...], has_key: bool, now: float, health: Health, words: str
) -> None:
    """BX-03, BX-04: a successor is published at half of a life and signs at five sixths."""
    found = judge_keyring(Keyring.of(Use.X509, slots), has_key=has_key, now=now)
    assert (found.check, found.health) == ("x509 authority", health)
    assert words in found.detail


def test_the_databases_folder_is_that_of_its_file(tmp_path: Path) -> None:
    """A database elsewhere has a disk of its own; one that is no file counts as the server's."""

    async def act(built: House) -> None:
        server = built.world.settings.server
        assert database_folder(server) == server.private_dir / "database"
        elsewhere = replace(server, database_url="sqlite:////srv/ca/db.sqlite?timeout=5")
        assert database_folder(elsewhere) == Path("/srv/ca")
        remote = replace(server, database_url="postgresql://ca@db/finial")
        assert database_folder(remote) == server.private_dir

    play(tmp_path, act)


def test_agents_that_enforce_what_is_out_of_date_are_named(tmp_path: Path) -> None:
    """Told of blocks, and silent for longer than an agent may take; once it says so, all is well."""

    async def act(built: House) -> None:
        agent = await built.join()
        stream = built.world.streams.open(agent.id)
        stream.capabilities = frozenset({"blocks"})
        stream.tell(Changed("blocks", 5))
        asking = asyncio.ensure_future(diagnosed(built))
        while not asking.done():
            await built.clock.pass_time(0.5)
            await asyncio.sleep(0.002)  # noqa: TID251 - threads need real moments
        found = (await asking)["rules in step"]
        assert found.health is Health.WARNING
        assert agent.id.path.rpartition("/")[2] in found.detail
        stream.note_applied("blocks", 5)
        assert (await diagnosed(built))["rules in step"].health is Health.OK

    play(tmp_path, act)


def test_blocks_that_cannot_all_be_named_are_warned_of(tmp_path: Path) -> None:
    """A document that was shortened names not every serial number."""

    async def act(built: House) -> None:
        assert (await diagnosed(built))["blocks"].health is Health.OK
        shortened = BlocksDocument(version=9, shortened=True)
        built.world.known.blocks_told.set(PublishedBlocks.of(shortened))
        assert (await diagnosed(built))["blocks"].health is Health.WARNING

    play(tmp_path, act)
