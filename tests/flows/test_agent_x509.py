"""X.509-SVIDs and bundles from the Workload API, with a scripted server behind the agent."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.certificate import split_der
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid, verify
from finial.wire.pb import workload_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import HEADER, Scene, never, soon, until
from tests.doubles.scripted_server import DOMAIN
from tests.flows.agent_scenes import ME, play, refused


def test_a_workload_gets_a_whole_and_valid_answer() -> None:
    """WAPI-20, WAPI-21, WAPI-22, WAPI-23: every field is there, and the key fits the chain."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME, hint="internal")
        async with played.agent() as agent:
            answer = await agent.fetch()
        [svid] = answer.svids
        assert svid.spiffe_id == "spiffe://example.org/web"
        assert svid.hint == "internal"
        chain = split_der(svid.x509_svid)
        parsed = X509Svid.parse(chain)
        bundle = Bundle(DOMAIN, tuple(map(X509Authority, split_der(svid.bundle))))
        assert verify(parsed, {DOMAIN: bundle}, played.clock.now()) == parsed.id
        key = serialization.load_der_private_key(svid.x509_svid_key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)

    play(act)


def test_the_first_message_comes_at_once_and_alone() -> None:
    """WAPI-10, WAPI-11: the request brings one message, and without a change no second one."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            await played.pass_time(60)
            await never(stream)

    play(act)


def test_each_identity_is_in_the_answer_the_oldest_first() -> None:
    """WAPI-19, WAPI-53: two entries give two SVIDs, and the default is the older entry's."""

    async def act(played: Scene) -> None:
        played.server.entry("z", "/old", ME, created_at=1)
        played.server.entry("a", "/young", ME, created_at=2)
        async with played.agent() as agent:
            answer = await agent.fetch()
        assert [each.spiffe_id for each in answer.svids] == [
            "spiffe://example.org/old",
            "spiffe://example.org/young",
        ]

    play(act)


def test_hints_are_unique_in_an_answer() -> None:
    """WAPI-25: of two entries with one hint the older keeps it, and both keep their SVID."""

    async def act(played: Scene) -> None:
        played.server.entry("b", "/old", ME, hint="h", created_at=1)
        played.server.entry("a", "/young", ME, hint="h", created_at=2)
        async with played.agent() as agent:
            answer = await agent.fetch()
        assert [each.hint for each in answer.svids] == ["h", ""]

    play(act)


def test_a_stranger_is_denied() -> None:
    """WEP-17, WAPI-27, WAPI-30: who has no identity gets neither SVIDs nor bundles."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", "unix:uid:4242")
        async with played.agent() as agent:
            for name in ("FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"):
                assert (await refused(agent.fetch(name))).kind is Kind.DENIED
            assert agent.records.named("call_refused")

    play(act)


def test_verifiers_without_identity_get_the_own_bundle_where_that_is_allowed() -> None:
    """WAPI-30: the operator may let everybody verify; then strangers get the own bundle only."""

    async def act(played: Scene) -> None:
        async with played.agent(allow_unauthenticated_verifiers=True) as agent:
            assert set((await agent.fetch("FetchX509Bundles")).bundles) == {"spiffe://example.org"}
            assert set((await agent.fetch("FetchJWTBundles")).bundles) == {"spiffe://example.org"}
            assert (await refused(agent.fetch())).kind is Kind.DENIED

    play(act)


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("workload.spiffe.io", "True"),),
        (("workload.spiffe.io", "1"),),
        (("workload.spiffe.io", ""),),
        (*HEADER, *HEADER),
        (*HEADER, ("workload.spiffe.io", "false")),
    ],
)
def test_the_security_metadata_is_asked_for_first(metadata: Any) -> None:
    """WEP-06, WAPI-48: without exactly one `true` every RPC is refused before anything else."""
    requests = {
        "FetchX509SVID": workload_pb2.X509SVIDRequest(),
        "FetchX509Bundles": workload_pb2.X509BundlesRequest(),
        "FetchJWTBundles": workload_pb2.JWTBundlesRequest(),
        "FetchJWTSVID": workload_pb2.JWTSVIDRequest(),
        "ValidateJWTSVID": workload_pb2.ValidateJWTSVIDRequest(),
        "FetchWITSVID": workload_pb2.WITSVIDRequest(),
        "FetchWITBundles": workload_pb2.WITBundlesRequest(),
    }

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            for name, request in requests.items():
                refusal = await refused(agent.call(name, request, metadata))
                assert refusal.kind is Kind.INVALID
                assert "security header" in refusal.detail

    play(act)


def test_the_wit_profile_is_not_implemented() -> None:
    """WEP-18, WAPI-03, WAPI-48: both RPCs of the optional profile say so."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            for name in ("FetchWITSVID", "FetchWITBundles"):
                assert (await refused(agent.fetch(name))).kind is Kind.UNIMPLEMENTED

    play(act)


def test_an_agent_that_knows_nothing_yet_is_unavailable() -> None:
    """WEP-16: before the first synchronisation nobody is denied; the agent cannot tell yet."""

    async def act(played: Scene) -> None:
        await played.server.stop()
        async with played.agent(synced=False) as agent:
            assert (await refused(agent.fetch())).kind is Kind.UNAVAILABLE
            request = workload_pb2.JWTSVIDRequest(audience=["a"])
            assert (await refused(agent.call("FetchJWTSVID", request))).kind is Kind.UNAVAILABLE

    play(act)


def test_a_new_entry_arrives_in_an_open_stream() -> None:
    """WAPI-09, WAPI-10: a new identity comes in one message, together with the known ones."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            first = await soon(stream.receive())
            played.server.entry("b", "/db", ME)
            played.server.tell_entries()
            second = await soon(stream.receive())
            assert len(second.svids) == 2
            assert second.svids[0] == first.svids[0]
            await never(stream)

    play(act)


def test_a_deleted_entry_leaves_an_open_stream() -> None:
    """WAPI-56: one of two identities that is revoked is missing from the next message."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            del played.server.entries["a"]
            played.server.tell_entries()
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/db"]

    play(act)


def test_the_last_identity_lost_ends_the_stream() -> None:
    """WAPI-16, WAPI-28, WAPI-56: losing the last identity ends every stream with a denial."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with (
            played.agent() as agent,
            agent.open() as svids,
            agent.open("FetchX509Bundles") as bundles,
            agent.open("FetchJWTBundles") as jwt_bundles,
        ):
            streams = (svids, bundles, jwt_bundles)
            for stream in streams:
                await soon(stream.receive())
            played.server.entries.clear()
            played.server.tell_entries()
            for stream in streams:
                assert (await refused(stream.receive())).kind is Kind.DENIED

    play(act)


def test_a_changed_entry_changes_the_answer() -> None:
    """WAPI-09: an entry that grants another ID brings a message with that ID alone."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            played.server.entry("a", "/other", ME, created_at=1)
            played.server.tell_entries()
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/other"]

    play(act)


def test_a_rotation_brings_one_message() -> None:
    """WAPI-09, WAPI-10: one of two SVIDs that rotates brings one message that has both."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            played.server.svid_ttl = 36_000
            played.server.entry("b", "/db", ME)
            played.server.tell_entries()
            await until(lambda: len(agent.parts.tasks.holdings.value.svids) == 2)
            async with agent.open() as stream:
                first = await soon(stream.receive())
                await played.pass_time(2000)
                second = await soon(stream.receive())
                assert second.svids[0].x509_svid != first.svids[0].x509_svid
                assert second.svids[1] == first.svids[1]
                await never(stream)

    play(act)


def test_a_stream_is_held_until_its_svid_is_signed() -> None:
    """WAPI-11: a caller whose SVID is being signed waits instead of being denied."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await never(stream)
            played.server.hold_signing.set()
            assert len((await soon(stream.receive())).svids) == 1

    play(act)


def test_a_stream_is_not_held_for_ever() -> None:
    """WEP-16: a caller whose SVID cannot be had within a bounded time is told Unavailable."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent(hold=20) as agent, agent.open() as stream:
            await never(stream)
            await played.pass_time(21)
            assert (await refused(stream.receive())).kind is Kind.UNAVAILABLE

    play(act)


def test_after_holding_a_stream_gets_what_there_is() -> None:
    """WAPI-11: when one of two SVIDs cannot be had in time the other is sent alone."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        played.server.refuse_entries["b"] = Refusal(Kind.INTERNAL, "no")
        async with played.agent(hold=20) as agent, agent.open() as stream:
            await never(stream)
            await played.pass_time(21)
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/web"]
            assert agent.records.named("signing_failed")

    play(act)


def test_a_new_bundle_comes_with_the_svids() -> None:
    """WAPI-09, WAPI-23: when only the bundle changes, the message has the SVIDs in it too."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            first = await soon(stream.receive())
            played.server.rotate_ca(SmallCa(now=played.clock.now()))
            played.server.tell_bundle()
            second = await soon(stream.receive())
            assert len(split_der(second.svids[0].bundle)) == 2
            assert second.svids[0].x509_svid == first.svids[0].x509_svid

    play(act)


def test_many_changes_become_few_messages() -> None:
    """WAPI-12: of fifty changes in no time a bounded number is sent, the last one complete."""

    async def act(played: Scene) -> None:
        played.server.entry("e", "/e", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            holdings = agent.parts.tasks.holdings
            own = holdings.value.own_bundle
            assert own is not None
            for _ in range(50):
                authority = X509Authority(SmallCa(now=played.clock.now()).der)
                agent.parts.tasks.sync.learn_bundles(
                    [Bundle(DOMAIN, (*own.x509_authorities, authority))]
                )
                await asyncio.sleep(0.001)  # noqa: TID251 - one change after another
            await played.pass_time(1)
            received = 0
            last = None
            while received < 50:
                waiting = asyncio.ensure_future(stream.receive())
                done, _ = await asyncio.wait({waiting}, timeout=0.2)
                if not done:
                    waiting.cancel()
                    break
                last, received = waiting.result(), received + 1
            assert 1 <= received <= 8
            assert last is not None
            assert last.svids[0].bundle.endswith(authority.der)

    play(act)


def test_bundles_are_those_of_the_callers_own_entries() -> None:
    """WAPI-24, WAPI-29, WAPI-46: keyed by trust domain ID, own and federated, nothing else."""

    async def act(played: Scene) -> None:
        friend, other = TrustDomain("friend.test"), TrustDomain("other.test")
        for each in (friend, other):
            authority = X509Authority(SmallCa(each.name, now=played.clock.now()).der)
            played.server.federated[each.name] = Bundle(each, (authority,))
        played.server.entry("a", "/web", ME, federates_with=["friend.test", "nowhere.test"])
        played.server.entry("b", "/db", "unix:uid:4242", federates_with=["other.test"])
        async with played.agent() as agent:
            svids = await agent.fetch()
            bundles = await agent.fetch("FetchX509Bundles")
        assert set(svids.federated_bundles) == {"spiffe://friend.test"}
        assert set(bundles.bundles) == {"spiffe://example.org", "spiffe://friend.test"}
        friends = played.server.federated["friend.test"].x509_der
        assert bundles.bundles["spiffe://friend.test"] == friends

    play(act)


def test_a_bundle_stream_says_nothing_while_svids_rotate() -> None:
    """WAPI-10: a bundle stream gets no message when only an SVID changed."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open("FetchX509Bundles") as stream:
            await soon(stream.receive())
            await played.pass_time(2000)
            await until(lambda: len(agent.records.named("svid_received")) > 1)
            await never(stream)

    play(act)


def test_shutdown_ends_streams_with_unavailable() -> None:
    """WAPI-08: when the agent stops, streams end with a status that tells clients to come again."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            await agent.parts.listeners.close(0.1)
            assert (await refused(stream.receive())).kind is Kind.UNAVAILABLE

    play(act)


def test_what_cannot_be_audited_is_not_served() -> None:
    """An answer whose record cannot be written does not leave the agent."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await until(lambda: bool(agent.parts.tasks.holdings.value.svids))
            agent.records.is_full = True
            assert (await refused(agent.fetch())).kind is Kind.UNAVAILABLE

    play(act)


def test_a_thousand_and_one_calls_of_one_uid_are_too_many() -> None:
    """WEP-16: calls over the limit of a uid are told Unavailable, and room comes back."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent(streams_per_uid=2) as agent:
            async with agent.open() as one, agent.open() as two:
                await soon(one.receive())
                await soon(two.receive())
                refusal = await refused(agent.fetch())
                assert refusal.kind is Kind.UNAVAILABLE
                assert "calls open" in refusal.detail
            await until(lambda: agent.parts.listeners.gate.open_calls == 0)
            await agent.fetch()

    play(act)
