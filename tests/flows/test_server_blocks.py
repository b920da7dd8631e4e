"""The kill switch at the server: nothing is issued, agents are told, CRLs list what is out."""

import asyncio
from pathlib import Path

from cryptography import x509

from ca.datastore.ledger import IssuedFilter
from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import (
    create_block,
    preview_block,
    reception,
    remove_block,
    show_block,
)
from ca.operations.enforcement import enforcement
from ca.operations.following.follower import Follower
from ca.operations.following.known import Known
from ca.operations.following.streams import Streams
from ca.operations.publish_blocks import publish_blocks
from ca.operations.server_identity import renew_server_identity
from ca.registry.issued import SvidKind
from finial.blocks import Block, Blocks, SubjectKind, decode
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Reason
from finial.spiffe.selector import Selector
from finial.wire.convert import spiffe_id_message
from finial.wire.pb import entry_pb2, follow_pb2, svid_pb2
from tests.doubles.house import House, entry_for, register
from tests.flows.scenes import play, refused
from tests.flows.server_blocks import (
    PATIENCE,
    WEB,
    crls,
    following,
    revoked,
    serial_of,
    told,
    wish,
    x509_svid,
)


def test_a_blocked_identity_gets_nothing_any_more(tmp_path: Path) -> None:
    """Neither an X.509-SVID, nor a token, nor is anything minted, until it is unblocked."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web, api] = await register(local, entry_for(agent.id, "/web"), entry_for(agent.id, "/api"))
        assert (await x509_svid(agent, web.id)).status.code == 0
        made = await create_block(built.world, SYSTEM, wish(WEB))
        result = await x509_svid(agent, web.id)
        assert result.status.code == 7
        assert "is blocked: key leaked" in result.status.message
        refused_call = built.audit.records[-1]
        assert (refused_call["kind"], refused_call["field"]) == ("call_refused", "block")
        asked = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["them"])
        assert (await refused(agent.client.call("SVID.NewJWTSVID", asked))).kind is Kind.DENIED
        mint = svid_pb2.MintJWTSVIDRequest(id=spiffe_id_message(WEB), audience=["them"])
        assert (await refused(local.call("SVID.MintJWTSVID", mint))).kind is Kind.DENIED
        assert (await x509_svid(agent, api.id)).status.code == 0
        await remove_block(built.world, SYSTEM, made.block.id)
        assert (await x509_svid(agent, web.id)).status.code == 0
        assert [each for each in built.audit.kinds() if "block" in str(each)] == [
            "blocked",
            "unblocked",
        ]

    play(tmp_path, act)


def test_agents_are_told_at_once(tmp_path: Path) -> None:
    """The whole document comes along, with a higher version each time, also on the greeting."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        async with following(agent, "blocks") as stream:
            first = await told(stream)
            assert decode(first.document).blocks == ()
            made = await create_block(built.world, SYSTEM, wish(web.id, SubjectKind.ENTRY))
            change = await told(stream)
            assert change.version > first.version
            blocks = Blocks(decode(change.document))
            now = built.clock.now()
            assert blocks.version == change.version
            found = blocks.of_entry(web.id, WEB, now)
            assert found is not None
            assert (found.id, found.reason, found.who) == (made.block.id, "key leaked", "")
            assert blocks.of_id(WEB, now) is None
            await remove_block(built.world, SYSTEM, made.block.id)
            last = await told(stream)
            assert last.version > change.version
            assert not Blocks(decode(last.document))
        async with following(agent, "blocks", blocks=last.version) as stream:
            built.clock.advance(5)
            async with asyncio.timeout(PATIENCE):
                assert (await stream.receive()).changed.topic == "entries"

    play(tmp_path, act)


def test_an_agent_that_knows_more_is_told_a_later_version_yet(tmp_path: Path) -> None:
    """After a restored database or a clock that was set back, agents do not refuse what is new."""

    async def act(built: House) -> None:
        agent = await built.join()
        version = built.world.known.blocks_told.value.document.version
        async with following(agent, "blocks", blocks=version + 5000) as stream:
            await told(stream)
            await publish_blocks(built.world)
            assert (await told(stream)).version == version + 5001
        decades = version + 30 * 365 * 24 * 3600 * 1000
        async with following(agent, "blocks", blocks=decades) as stream:
            await told(stream)
            # What it says it enforces is not what it was told.
            assert reception(built.world).waiting == (agent.id,)
            [here] = enforcement(built.world)
            assert here.blocks is not None
            assert here.blocks.lags
            await publish_blocks(built.world)
            assert (await told(stream)).version == decades + 1
        absurd = version + 200 * 365 * 24 * 3600 * 1000
        async with following(agent, "blocks", blocks=absurd) as stream:
            await told(stream)
            await publish_blocks(built.world)
            assert built.world.known.blocks_told.value.document.version == decades + 1

    play(tmp_path, act)


def test_blocked_serial_numbers_are_on_the_list_of_their_authority(tmp_path: Path) -> None:
    """Every authority has a signed list, good as long as itself, empty while nothing is blocked."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web, api] = await register(local, entry_for(agent.id, "/web"), entry_for(agent.id, "/api"))
        bundle = built.world.known.bundle.value
        [(authority_id, crl)] = crls(built).items()
        [authority] = bundle.x509_authorities
        assert authority_id == authority.subject_key_id
        assert crl.is_signature_valid(authority.public_key)
        assert crl.next_update_utc is not None
        assert crl.next_update_utc.timestamp() == authority.not_after
        assert list(crl) == []
        first, other = await x509_svid(agent, web.id), await x509_svid(agent, api.id)
        await create_block(built.world, SYSTEM, wish(WEB))
        assert revoked(built) == {serial_of(first)}
        again = crls(built)[authority_id]
        number = again.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        before = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        assert number > before
        assert again.is_signature_valid(authority.public_key)
        serial = f"{serial_of(other):x}"
        await create_block(built.world, SYSTEM, wish(serial, SubjectKind.SERIAL))
        assert revoked(built) == {serial_of(first), serial_of(other)}
        document = built.world.known.blocks_told.value.document
        assert set(document.serials) == {str(serial_of(other))}
        # The identity itself is as good as before.
        assert (await x509_svid(agent, api.id)).status.code == 0

    play(tmp_path, act)


def test_blocked_agent_is_cut_off_at_once(tmp_path: Path) -> None:
    """Its stream ends, no call is answered, it cannot attest again; unblocked it goes on."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        mine = await x509_svid(agent, web.id)
        cast_out: list[frozenset[SpiffeId]] = []
        built.world.follower.on_cast_out(cast_out.append)
        async with following(agent, "blocks") as stream:
            await told(stream)
            made = await create_block(built.world, SYSTEM, wish(agent.id))
            assert made.block.kind is SubjectKind.AGENT
            assert (await told(stream, "standing")).document == b"blocked"
            refusal = await refused(told(stream))
            assert refusal.kind is Kind.DENIED
            assert refusal.reason is Reason.AGENT_BLOCKED
            assert "is blocked: key leaked" in refusal.detail
        assert cast_out == [frozenset({agent.id})]
        refusal = await refused(agent.client.call("Entry.GetAuthorizedEntries"))
        assert refusal.kind is Kind.DENIED
        assert serial_of(mine) in revoked(built)
        assert agent.svid.serial in revoked(built)
        told_now = built.world.known.blocks_told.value.document
        assert str(agent.id) in told_now.spiffe_ids
        await remove_block(built.world, SYSTEM, made.block.id)
        await agent.client.call("Entry.GetAuthorizedEntries")

    play(tmp_path, act)


def test_blocked_selector_hits_entries_and_whoever_shows_it(tmp_path: Path) -> None:
    """Entries that name it are blocked, later ones too; agents are told the selector itself."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web", "unix:uid:7"))
        block = wish("unix:uid:7", SubjectKind.SELECTOR)
        assert (await preview_block(built.world, SYSTEM, block)).outlook.entries[0].id == web.id
        await create_block(built.world, SYSTEM, block)
        assert (await x509_svid(agent, web.id)).status.code == 7
        [api] = await register(local, entry_for(agent.id, "/api", "unix:uid:7"))
        assert (await x509_svid(agent, api.id)).status.code == 7
        await publish_blocks(built.world)
        document = built.world.known.blocks_told.value.document
        assert set(document.entries) == {web.id, api.id}
        blocks = Blocks(document)
        assert blocks.of_selectors([Selector("unix", "uid:7")], built.clock.now()) is not None

    play(tmp_path, act)


def test_one_token_is_blocked_by_its_id(tmp_path: Path) -> None:
    """Agents are told its `jti`; the identity goes on, and so do its other tokens."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        asked = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["them"])
        await agent.client.call("SVID.NewJWTSVID", asked)
        page = await built.world.datastore.list_issued(IssuedFilter(kind=SvidKind.JWT))
        [row] = page.items
        await create_block(built.world, SYSTEM, wish(row.serial, SubjectKind.JTI))
        assert set(built.world.known.blocks_told.value.document.jtis) == {row.serial}
        await agent.client.call("SVID.NewJWTSVID", asked)

    play(tmp_path, act)


def test_what_hits_nothing_and_the_server_itself_are_refused(tmp_path: Path) -> None:
    """A typing error is no block, and nobody locks everybody out."""

    async def act(built: House) -> None:
        world = built.world
        nobody = wish("spiffe://example.org/nobody")
        for attempt in (preview_block, create_block):
            assert (await refused(attempt(world, SYSTEM, nobody))).kind is Kind.NOT_FOUND  # type: ignore[operator]
            server = wish("spiffe://example.org/spire/server")
            assert (await refused(attempt(world, SYSTEM, server))).kind is Kind.PRECONDITION  # type: ignore[operator]
        own = await renew_server_identity(world)
        serial = x509.load_der_x509_certificate(own.tls.chain[0]).serial_number
        refusal = await refused(create_block(world, SYSTEM, wish(serial, SubjectKind.SERIAL)))
        assert refusal.kind is Kind.PRECONDITION
        assert len(world.known.blocks) == 0

    play(tmp_path, act)


def test_what_nobody_knows_of_yet_is_blocked_by_force(tmp_path: Path) -> None:
    """A program that no entry names, an SVID from before a restore: agents are told all the same."""

    async def act(built: House) -> None:
        world = built.world
        program = f"unix:sha256:{'ab' * 32}"
        for subject, kind in (
            (program, SubjectKind.SELECTOR),
            (4711, SubjectKind.SERIAL),
            ("4711", SubjectKind.JTI),
        ):
            unknown = wish(subject, kind)
            assert (await refused(create_block(world, SYSTEM, unknown))).kind is Kind.NOT_FOUND
            assert (await preview_block(world, SYSTEM, unknown, force=True)).outlook.is_empty
            await create_block(world, SYSTEM, unknown, force=True)
        told_now = world.known.blocks_told.value.document
        assert set(told_now.selectors) == {program}
        assert set(told_now.serials) == set(told_now.jtis) == {"4711"}
        server = wish("spiffe://example.org/spire/server")
        refusal = await refused(create_block(world, SYSTEM, server, force=True))
        assert refusal.kind is Kind.PRECONDITION

    play(tmp_path, act)


def test_an_identity_of_a_federated_trust_domain_is_blocked(tmp_path: Path) -> None:
    """Agents are told, although nothing here was issued for it; one of a stranger is not blocked."""

    async def act(built: House) -> None:
        foreign, world = TrustDomain.parse("other.org"), built.world
        world.known.federated.set({foreign: Bundle(foreign)})
        made = await create_block(world, SYSTEM, wish("spiffe://other.org/web"))
        told = world.known.blocks_told.value.document.spiffe_ids
        assert told == {"spiffe://other.org/web": made.block.id}
        assert [each.until for each in made.outlook.remains()] == [0]
        stranger = create_block(world, SYSTEM, wish("spiffe://third.org/web"))
        assert (await refused(stranger)).kind is Kind.NOT_FOUND

    play(tmp_path, act)


def test_no_more_is_blocked_than_can_be_told(tmp_path: Path) -> None:
    """What would not fit into the agents' document is refused, rather than not told."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/web"))
        many = [
            Block(f"b{number}", SubjectKind.JTI, "x" * 2000, "y" * 256, 1) for number in range(300)
        ]
        built.world.known.blocks.replace(many)
        assert (await refused(create_block(built.world, SYSTEM, wish(WEB)))).kind is Kind.EXHAUSTED

    play(tmp_path, act)


def test_an_agent_without_blocks_does_not_get_the_entry(tmp_path: Path) -> None:
    """What it cannot refuse is withheld; one that can is given it, so that it can say why."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/web"))
        asked = entry_pb2.GetAuthorizedEntriesRequest()
        async with following(agent) as stream:
            await told(stream, "entries")
            await create_block(built.world, SYSTEM, wish(WEB))
            await told(stream, "entries")
            answer = await agent.client.call("Entry.GetAuthorizedEntries", asked)
            assert list(answer.entries) == []
        async with following(agent, "blocks") as stream:
            await told(stream)
            answer = await agent.client.call("Entry.GetAuthorizedEntries", asked)
            assert len(answer.entries) == 1

    play(tmp_path, act)


def test_whoever_blocks_hears_who_enforces_it(tmp_path: Path) -> None:
    """Agents that said so, that did not yet, that are away, and what those still hold."""

    async def act(built: House) -> None:
        agent, away, local = await built.join(), await built.join(), await built.local()
        [web] = await register(local, entry_for(away.id, "/web"))
        await x509_svid(away, web.id)
        async with following(agent, "blocks") as stream:
            await told(stream)
            blocking = asyncio.ensure_future(create_block(built.world, SYSTEM, wish(WEB), wait=9))
            change = await told(stream)
            await stream.send(
                follow_pb2.Up(applied=follow_pb2.Applied(topic="blocks", version=change.version))
            )
            async with asyncio.timeout(PATIENCE):
                made = await blocking
            assert made.reception is not None
            assert made.reception.applied == (agent.id,)
            assert made.reception.unreachable == (away.id,)
            [holder] = made.outlook.holders
            assert (holder.id, holder.connected, holder.svids) == (away.id, False, 1)
            told_so = [each.who for each in made.outlook.remains()]
            assert any(str(away.id) in each for each in told_so)
            assert (await show_block(built.world, made.block.id)).reception is not None

    play(tmp_path, act)


def test_agents_are_told_before_a_long_ledger_is_read(tmp_path: Path) -> None:
    """First what is blocked, then which SVIDs that hits; what was known of others stays."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web, api] = await register(local, entry_for(agent.id, "/web"), entry_for(agent.id, "/api"))
        other, mine = await x509_svid(agent, api.id), await x509_svid(agent, web.id)
        await create_block(built.world, SYSTEM, wish(api.id, SubjectKind.ENTRY))
        built.world.revocation.seconds = 1.0
        async with following(agent, "blocks") as stream:
            await told(stream)
            await create_block(built.world, SYSTEM, wish(web.id, SubjectKind.ENTRY))
            first = decode((await told(stream)).document)
            assert set(first.entries) == {web.id, api.id}
            if str(serial_of(mine)) not in first.serials:
                assert set(first.serials) == {str(serial_of(other))}
                first = decode((await told(stream)).document)
            assert set(first.serials) == {str(serial_of(other)), str(serial_of(mine))}
            assert built.world.revocation.seconds == 0.0

    play(tmp_path, act)


def test_blocks_survive_a_restart(tmp_path: Path) -> None:
    """A server that starts, or falls behind, knows what is blocked before it answers anybody."""

    async def act(built: House) -> None:
        agent, local, world = await built.join(), await built.local(), built.world
        await register(local, entry_for(agent.id, "/web"))
        await create_block(world, SYSTEM, wish(WEB))
        known, streams = Known(world.trust_domain), Streams(1)
        await Follower(world.datastore, known, streams, built.clock).load()
        assert [each.subject for each in known.blocks] == [str(WEB)]
        assert known.blocks_wanted.is_set()

    play(tmp_path, act)
