"""The server's keys and its own SVID rotate by themselves, whatever time has passed."""

import asyncio
from pathlib import Path

import pytest

from ca import tasks
from ca.authority.slot import Phase, Use
from ca.operations.prune import prune_bundle, prune_expired_entries, prune_nodes, prune_records
from ca.operations.rotate_authority import load_authorities, rotate_authorities
from ca.operations.server_identity import is_due, renew_server_identity
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.jwt_svid import verify_jwt
from finial.spiffe.refusal import Kind
from finial.spiffe.x509_svid import X509Svid, verify
from finial.wire.convert import x509_svid_from
from finial.wire.pb import bundle_pb2, svid_pb2, types_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.clock import settle
from tests.doubles.house import Agent, House, csr, entry_for, register
from tests.flows.scenes import play, refused

TTL = 120.0
WEB = SpiffeId.parse("spiffe://example.org/web")


def phases(built: House, use: Use) -> list[Phase]:
    return [slot.phase for slot in built.world.known.signers.value.keyrings[use].slots]


async def later(built: House, seconds: float) -> None:
    built.clock.advance(seconds)
    await rotate_authorities(built.world)


async def issue(agent: Agent, entry_id: str) -> tuple[X509Svid, str]:
    params = [svid_pb2.NewX509SVIDParams(entry_id=entry_id, csr=csr())]
    request = svid_pb2.BatchNewX509SVIDRequest(params=params)
    [result] = (await agent.client.call("SVID.BatchNewX509SVID", request)).results
    assert result.status.code == 0, result.status
    ask = svid_pb2.NewJWTSVIDRequest(entry_id=entry_id, audience=["db"])
    token = (await agent.client.call("SVID.NewJWTSVID", ask)).svid.token
    return x509_svid_from(result.svid), token


def holds(bundle: Bundle, svid: X509Svid, token: str, now: float) -> None:
    bundles = {bundle.trust_domain: bundle}
    assert verify(svid, bundles, now) == WEB
    assert verify_jwt(token, "db", bundles, now).id == WEB


def test_keys_are_prepared_activated_and_retired(tmp_path: Path) -> None:
    """The next is published at half-life, signs with a sixth left, and leaves when expired.

    Spec: SPIRE BX-03, BX-04, BX-17, BJ-01.
    """

    async def act(built: House) -> None:
        for use in Use:
            assert phases(built, use) == [Phase.ACTIVE]
        await later(built, TTL / 2)
        for use in Use:
            assert phases(built, use) == [Phase.ACTIVE, Phase.PREPARED]
        assert len(built.world.known.bundle.value.x509_authorities) == 2
        assert len(built.world.known.bundle.value.jwt_authorities) == 2
        await later(built, TTL / 3)
        for use in Use:
            assert phases(built, use) == [Phase.OLD, Phase.ACTIVE]
        keys = await built.world.keys.key_ids()
        await later(built, TTL / 6 + 30)
        for use in Use:
            assert Phase.OLD not in phases(built, use)
        assert not set(keys) <= set(await built.world.keys.key_ids())
        kinds = built.audit.kinds()
        for kind in ("authority_prepared", "authority_activated", "authority_retired"):
            assert kind in kinds

    play(tmp_path, act, ca_ttl="2m")


def test_nothing_issued_ever_fails_under_a_bundle_a_while_old(tmp_path: Path) -> None:
    """Through three generations of keys, what is issued verifies wherever it is met.

    A verifier whose bundle is a few seconds old knows every key that signs.
    """

    async def act(built: House) -> None:
        local = await built.local()
        held: list[tuple[X509Svid, str]] = []
        stale = built.world.known.bundle.value
        for _ in range(80):
            agent = await built.join()
            [web] = await register(local, entry_for(agent.id, "/web", jwt_svid_ttl=5))
            fresh = await issue(agent, web.id)
            holds(stale, *fresh, built.clock.now())
            held.append(fresh)
            stale = built.world.known.bundle.value
            await later(built, 4)
            now = built.clock.now()
            held = [each for each in held if each[0].not_after > now]
            for svid, _token in held:
                assert verify(svid, {stale.trust_domain: built.world.known.bundle.value}, now)
        assert built.audit.kinds().count("authority_activated") >= 6
        assert len(built.world.known.bundle.value.x509_authorities) <= 3

    play(tmp_path, act, ca_ttl="2m", default_x509_svid_ttl="10s")


def test_after_a_long_sleep_a_new_authority_is_made_at_once(tmp_path: Path) -> None:
    """A machine that was suspended past its CA's end signs again without a restart (BX-16)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        before = built.world.known.signers.value.active
        rotating = asyncio.ensure_future(tasks.rotate(built.world))
        await settle()
        built.clock.jump(10 * TTL)
        told = await refused(renew_server_identity(built.world))
        assert told.kind is Kind.UNAVAILABLE
        signers = built.world.known.signers
        while any(
            signers.value.active[use] == before[use] or phases(built, use) != [Phase.ACTIVE]
            for use in Use
        ):
            await asyncio.wait({rotating}, timeout=0.01)
        rotating.cancel()
        again = await built.join()
        [web] = await register(local, entry_for(again.id, "/web"))
        svid, token = await issue(again, web.id)
        holds(built.world.known.bundle.value, svid, token, built.clock.now())
        for use in Use:
            assert phases(built, use) == [Phase.ACTIVE]

    play(tmp_path, act, ca_ttl="2m")


def test_a_server_that_comes_back_in_the_last_moments_signs_at_once(tmp_path: Path) -> None:
    """Its authority's successor was never prepared, and nothing of use is left of the authority."""

    async def act(built: House) -> None:
        for left in (12.0, 10.0, 5.5, 1.0, 0.2, 0.0):
            active = built.world.known.signers.value.keyrings[Use.X509].active
            assert active is not None
            built.clock.jump(active.not_after - left - built.clock.now())
            await rotate_authorities(built.world)
            identity = await renew_server_identity(built.world)
            assert identity.authority_id != active.authority_id

    play(tmp_path, act, ca_ttl="2m")


def test_a_restart_goes_on_with_the_same_authorities(tmp_path: Path) -> None:
    """Slots and keys are found again; a key that nobody knows is deleted."""

    async def act(built: House) -> None:
        before = built.world.known.signers.value.keyrings
        await built.world.keys.generate("x509-leftover", built.world.settings.server.ca_key_type)
        await load_authorities(built.world)
        await rotate_authorities(built.world)
        assert built.world.known.signers.value.keyrings == before
        assert "x509-leftover" not in await built.world.keys.key_ids()

    play(tmp_path, act)


def test_an_authority_whose_key_is_lost_is_replaced(tmp_path: Path) -> None:
    """It stays in the bundle for what it signed, and another signs from now on (BX-14)."""

    async def act(built: House) -> None:
        old = built.world.known.signers.value.keyrings[Use.X509].active
        assert old is not None
        await built.world.keys.delete(old.key_id)
        await load_authorities(built.world)
        await rotate_authorities(built.world)
        assert phases(built, Use.X509) == [Phase.OLD, Phase.ACTIVE]
        ders = [each.der for each in built.world.known.bundle.value.x509_authorities]
        assert old.document in ders

    play(tmp_path, act)


def test_what_others_appended_survives_our_rotation(tmp_path: Path) -> None:
    """A server replaces its own part of the bundle alone, until the rest has long expired."""

    async def act(built: House) -> None:
        local = await built.local()
        foreign = SmallCa("example.org", lifetime=600).der
        request = bundle_pb2.AppendBundleRequest(
            x509_authorities=[types_pb2.X509Certificate(asn1=foreign)]
        )
        await local.call("Bundle.AppendBundle", request)
        for _ in range(10):
            await later(built, TTL / 2)
        await prune_bundle(built.world)
        assert foreign in [each.der for each in built.world.known.bundle.value.x509_authorities]
        built.clock.jump(600 + 86_400)
        await rotate_authorities(built.world)
        await prune_bundle(built.world)
        ders = [each.der for each in built.world.known.bundle.value.x509_authorities]
        assert foreign not in ders
        assert len(ders) == 1

    play(tmp_path, act, ca_ttl="2m")


def test_the_server_renews_its_own_svid(tmp_path: Path) -> None:
    """At half-life, and at once when its authority is gone (BL-07)."""

    async def act(built: House) -> None:
        first = await renew_server_identity(built.world, ("localhost",))
        assert X509Svid.parse(first.tls.chain).id.path == "/spire/server"
        assert not is_due(built.world, first)
        assert first.renew_at == pytest.approx(built.clock.now() + 25)
        built.clock.jump(31)
        assert is_due(built.world, first)
        identity = Watch(first)
        keeping = asyncio.ensure_future(tasks.keep_identity(built.world, identity, ()))
        while identity.value is first:
            await asyncio.wait({keeping}, timeout=0.01)
        keeping.cancel()
        assert not is_due(built.world, identity.value)

    play(tmp_path, act, ca_ttl="2m", default_x509_svid_ttl="1m")


def test_what_is_of_no_use_is_forgotten(tmp_path: Path) -> None:
    """Expired entries, tokens, ledger rows and agents go; what counts stays (7.13, BE-13)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        soon = int(built.clock.now()) + 10
        await register(
            local, entry_for(agent.id, "/old", expires_at=soon), entry_for(agent.id, "/new")
        )
        built.clock.jump(3600 + 2 * 86_400)
        await prune_expired_entries(built.world)
        await prune_records(built.world)
        await prune_nodes(built.world)
        assert [each.spiffe_id.path for each in built.world.known.entries] == ["/new"]
        assert await built.world.datastore.list_join_tokens() == []
        assert built.world.known.nodes.get(agent.id) is None
        assert {"entry_deleted", "node_evicted"} <= set(map(str, built.audit.kinds()))

    play(
        tmp_path,
        act,
        prune_attested_nodes_expired_for="1h",
        prune_tofu_nodes=True,
    )
