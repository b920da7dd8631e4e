"""Administrators register entries; agents learn theirs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector
from finial.wire.convert import spiffe_id_message
from finial.wire.pb import bundle_pb2, entry_pb2, types_pb2
from finial.wire.pb.well_known import BoolValue, StringValue
from tests.doubles.ca import SmallCa
from tests.doubles.house import Client, House, entry_for, register
from tests.flows.scenes import play, refused

PARENT = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/one")
Filter = entry_pb2.ListEntriesRequest.Filter


async def listed(client: Client, **members: Any) -> list[str]:
    response = await client.call("Entry.ListEntries", entry_pb2.ListEntriesRequest(**members))
    return sorted(entry.spiffe_id.path for entry in response.entries)


def test_an_entry_is_created_whole(tmp_path: Path) -> None:
    """Every member comes back; id, revision 0 and time of creation are the server's (BE-12)."""

    async def act(built: House) -> None:
        local = await built.local()
        asked = entry_for(
            PARENT,
            "/web",
            "unix:uid:1000",
            x509_svid_ttl=60,
            jwt_svid_ttl=30,
            admin=True,
            downstream=True,
            expires_at=int(built.clock.now()) + 5,
            dns_names=["web.example.org"],
            hint="internal",
            additional_attributes=types_pb2.Entry.AdditionalAttributes(jwt_svid_include_jti=True),
        )
        [made] = await register(local, asked)
        assert len(made.id) == 36
        assert (made.revision_number, made.created_at) == (0, int(built.clock.now()))
        asked.id, asked.created_at = made.id, made.created_at
        assert made == asked
        found = await local.call("Entry.GetEntry", entry_pb2.GetEntryRequest(id=made.id))
        assert found == made
        assert "entry_created" in built.audit.kinds()

    play(tmp_path, act)


def test_a_batch_answers_each_item_in_its_place(tmp_path: Path) -> None:
    """A similar entry comes back as it exists, a bad one with what is wrong (BE-11)."""

    async def act(built: House) -> None:
        local = await built.local()
        [first] = await register(local, entry_for(PARENT, "/web"))
        request = entry_pb2.BatchCreateEntryRequest(
            entries=[
                entry_for(PARENT, "/new"),
                entry_for(PARENT, "/web", hint="other"),
                entry_for(PARENT, "/spire/agent/x"),
                types_pb2.Entry(),
            ]
        )
        results = (await local.call("Entry.BatchCreateEntry", request)).results
        assert [each.status.code for each in results] == [0, 6, 3, 3]
        assert results[0].status.message == "OK"
        assert results[1].status.message == "similar entry already exists"
        assert results[1].entry == first
        assert not results[2].HasField("entry")
        count = await local.call("Entry.CountEntries")
        assert count.count == 2

    play(tmp_path, act)


def test_an_update_writes_what_its_mask_names(tmp_path: Path) -> None:
    """Without a mask all fields are written, also empty ones; the revision grows (TR-08)."""

    async def act(built: House) -> None:
        local = await built.local()
        [made] = await register(local, entry_for(PARENT, "/web", hint="a", dns_names=["x.y"]))
        change = types_pb2.Entry(id=made.id, hint="b")
        masked = await update(local, change, types_pb2.EntryMask(hint=True))
        assert (masked.hint, list(masked.dns_names), masked.revision_number) == ("b", ["x.y"], 1)
        same = await update(local, change, types_pb2.EntryMask(hint=True))
        assert same.revision_number == 1
        whole = entry_for(PARENT, "/web", id=made.id)
        bare = await update(local, whole)
        assert (bare.hint, list(bare.dns_names), bare.revision_number) == ("", [], 2)
        assert bare.created_at == made.created_at

    play(tmp_path, act)


def test_an_update_of_nothing_and_of_something_impossible_is_refused(tmp_path: Path) -> None:
    """Unknown ids are NotFound, impossible values InvalidArgument, each for its item."""

    async def act(built: House) -> None:
        local = await built.local()
        [made] = await register(local, entry_for(PARENT, "/web"))
        request = entry_pb2.BatchUpdateEntryRequest(
            entries=[
                types_pb2.Entry(id="nobody", hint="x"),
                types_pb2.Entry(hint="x"),
                types_pb2.Entry(id=made.id, hint="x" * 2000),
            ],
            input_mask=types_pb2.EntryMask(hint=True),
        )
        results = (await local.call("Entry.BatchUpdateEntry", request)).results
        assert [each.status.code for each in results] == [5, 3, 3]
        assert results[0].status.message == "entry not found"

    play(tmp_path, act)


def test_entries_are_deleted(tmp_path: Path) -> None:
    """Each id is answered for itself, in SPIRE's words."""

    async def act(built: House) -> None:
        local = await built.local()
        [made] = await register(local, entry_for(PARENT, "/web"))
        request = entry_pb2.BatchDeleteEntryRequest(ids=[made.id, made.id + "x", ""])
        results = (await local.call("Entry.BatchDeleteEntry", request)).results
        said = [(each.id, each.status.code, each.status.message) for each in results]
        assert said == [
            (made.id, 0, "OK"),
            (made.id + "x", 5, "entry not found"),
            ("", 3, "missing entry ID"),
        ]
        gone = await refused(local.call("Entry.GetEntry", entry_pb2.GetEntryRequest(id=made.id)))
        assert (gone.kind, gone.detail) == (Kind.NOT_FOUND, "entry not found")
        nameless = await refused(local.call("Entry.GetEntry"))
        assert (nameless.kind, nameless.detail) == (Kind.INVALID, "missing ID")

    play(tmp_path, act)


def test_an_output_mask_leaves_only_what_it_names(tmp_path: Path) -> None:
    """The id is always there; an absent mask returns everything (spire-wire 2.3)."""

    async def act(built: House) -> None:
        local = await built.local()
        [made] = await register(local, entry_for(PARENT, "/web", hint="a"))
        request = entry_pb2.ListEntriesRequest(output_mask=types_pb2.EntryMask(hint=True))
        [shown] = (await local.call("Entry.ListEntries", request)).entries
        assert shown == types_pb2.Entry(id=made.id, hint="a")
        request = entry_pb2.ListEntriesRequest(output_mask=types_pb2.EntryMask())
        [bare] = (await local.call("Entry.ListEntries", request)).entries
        assert bare == types_pb2.Entry(id=made.id)

    play(tmp_path, act)


def test_filters_are_joined_by_and(tmp_path: Path) -> None:
    """Every filter of the API chooses entries, and an empty set is refused."""

    async def act(built: House) -> None:
        local = await built.local()
        await federate(local, "other.org")
        other = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/two")
        await register(
            local,
            entry_for(PARENT, "/a", "unix:uid:1", "unix:gid:1", hint="h"),
            entry_for(PARENT, "/b", "unix:uid:1", downstream=True),
            entry_for(other, "/c", "unix:uid:2", federates_with=["spiffe://other.org"]),
        )
        uid = types_pb2.Selector(type="unix", value="uid:1")
        superset = types_pb2.SelectorMatch(selectors=[uid], match="MATCH_SUPERSET")
        exact = types_pb2.SelectorMatch(selectors=[uid], match="MATCH_EXACT")
        federated = types_pb2.FederatesWithMatch(trust_domains=["other.org"], match="MATCH_ANY")
        path = types_pb2.SPIFFEID(trust_domain="example.org", path="/b")
        assert await listed(local) == ["/a", "/b", "/c"]
        assert await listed(local, filter=Filter(by_parent_id=spiffe_id_message(other))) == ["/c"]
        assert await listed(local, filter=Filter(by_spiffe_id=path)) == ["/b"]
        assert await listed(local, filter=Filter(by_selectors=superset)) == ["/a", "/b"]
        assert await listed(local, filter=Filter(by_selectors=exact)) == ["/b"]
        assert await listed(local, filter=Filter(by_federates_with=federated)) == ["/c"]
        assert await listed(local, filter=Filter(by_hint=StringValue(value="h"))) == ["/a"]
        assert await listed(local, filter=Filter(by_downstream=BoolValue(value=True))) == ["/b"]
        both = Filter(by_selectors=superset, by_hint=StringValue(value=""))
        assert await listed(local, filter=both) == ["/b"]
        empty = Filter(by_selectors=types_pb2.SelectorMatch())
        assert (await refused(listed(local, filter=empty))).kind is Kind.INVALID
        counted = entry_pb2.CountEntriesRequest.Filter(by_selectors=superset)
        count = await local.call(
            "Entry.CountEntries", entry_pb2.CountEntriesRequest(filter=counted)
        )
        assert count.count == 2

    play(tmp_path, act)


def test_pages_lead_through_everything_once(tmp_path: Path) -> None:
    """The last page has no token; a foreign token is refused (BE-14, TR-11)."""

    async def act(built: House) -> None:
        local = await built.local()
        await register(local, *(entry_for(PARENT, f"/w{number}") for number in range(7)))
        seen, token = [], ""
        while True:
            request = entry_pb2.ListEntriesRequest(page_size=3, page_token=token)
            page = await local.call("Entry.ListEntries", request)
            seen += [entry.id for entry in page.entries]
            if not (token := page.next_page_token):
                break
        assert len(seen) == len(set(seen)) == 7
        assert (await refused(listed(local, page_token="junk"))).kind is Kind.INVALID

    play(tmp_path, act)


def test_an_agent_syncs_its_few_entries_in_one_message(tmp_path: Path) -> None:
    """Up to 500 entries come whole and without revisions (spire-wire 6.3)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        child = entry_for(SpiffeId.parse("spiffe://example.org/web"), "/below")
        [below] = await register(local, child)
        await register(local, entry_for(PARENT, "/strange"))
        async with agent.client.stream("Entry.SyncAuthorizedEntries") as stream:
            await stream.send(entry_pb2.SyncAuthorizedEntriesRequest())
            answer = await stream.receive()
            assert sorted(entry.id for entry in answer.entries) == sorted((web.id, below.id))
            assert not answer.entry_revisions
            assert not answer.more
            await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(ids=[web.id, "none"]))
            answer = await stream.receive()
            assert [entry.id for entry in answer.entries] == [web.id]
            await stream.end()
            assert await stream.receive() is None
        whole = await agent.client.call("Entry.GetAuthorizedEntries")
        assert len(whole.entries) == 2

    play(tmp_path, act)


def test_an_agent_syncs_many_entries_by_their_revisions(tmp_path: Path) -> None:
    """More than 500 entries are named by page, then sent as they are asked for."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, *(entry_for(agent.id, f"/w{number}") for number in range(1001)))
        async with agent.client.stream("Entry.SyncAuthorizedEntries") as stream:
            mask = types_pb2.EntryMask(revision_number=True, spiffe_id=True)
            await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(output_mask=mask))
            pages = [await stream.receive() for _ in range(3)]
            assert [len(page.entry_revisions) for page in pages] == [500, 500, 1]
            assert [page.more for page in pages] == [True, True, False]
            ids = [each.id for page in pages for each in page.entry_revisions]
            assert ids == sorted(ids)
            await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(ids=ids[:600]))
            answers = [await stream.receive() for _ in range(2)]
            assert [len(answer.entries) for answer in answers] == [500, 100]
            assert [answer.more for answer in answers] == [True, False]
            assert answers[0].entries[0].spiffe_id.path.startswith("/w")
            assert not answers[0].entries[0].selectors

    play(tmp_path, act)


def test_a_sync_that_begins_wrongly_is_refused(tmp_path: Path) -> None:
    """Ids come later, and the revision cannot be masked (spire-wire 6.3)."""

    async def act(built: House) -> None:
        agent = await built.join()
        for request, said in (
            (
                entry_pb2.SyncAuthorizedEntriesRequest(ids=["x"]),
                "specifying IDs on initial request is not supported",
            ),
            (
                entry_pb2.SyncAuthorizedEntriesRequest(output_mask=types_pb2.EntryMask(hint=True)),
                "revision number cannot be masked",
            ),
        ):
            async with agent.client.stream("Entry.SyncAuthorizedEntries") as stream:
                await stream.send(request)
                told = await refused(stream.receive())
            assert (told.kind, told.detail) == (Kind.INVALID, said)

    play(tmp_path, act)


def test_a_node_alias_gives_its_entries_to_every_node_it_describes(tmp_path: Path) -> None:
    """An entry below /spire/server describes nodes by their selectors (7.7)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        server = SpiffeId.parse("spiffe://example.org/spire/server")
        alias = SpiffeId.parse("spiffe://example.org/fleet")
        await register(local, entry_for(server, "/fleet", "cloud:zone:1"))
        [web] = await register(local, entry_for(alias, "/web"))
        assert not (await agent.client.call("Entry.GetAuthorizedEntries")).entries
        node = built.world.known.nodes.get(agent.id)
        assert node is not None
        zone = Selector("cloud", "zone:1")
        await built.world.datastore.save_node(replace(node, selectors=(zone,)))
        await built.world.follower.caught_up()
        found = (await agent.client.call("Entry.GetAuthorizedEntries")).entries
        assert [entry.id for entry in found] == [web.id]

    play(tmp_path, act)


async def update(
    client: Client, entry: types_pb2.Entry, mask: types_pb2.EntryMask | None = None
) -> types_pb2.Entry:
    request = entry_pb2.BatchUpdateEntryRequest(entries=[entry], input_mask=mask)
    [result] = (await client.call("Entry.BatchUpdateEntry", request)).results
    assert result.status.code == 0, result.status
    return result.entry


async def federate(client: Client, name: str) -> None:
    bundle = types_pb2.Bundle(
        trust_domain=name, x509_authorities=[types_pb2.X509Certificate(asn1=SmallCa(name).der)]
    )
    request = bundle_pb2.BatchSetFederatedBundleRequest(bundle=[bundle])
    [result] = (await client.call("Bundle.BatchSetFederatedBundle", request)).results
    assert result.status.code == 0, result.status
