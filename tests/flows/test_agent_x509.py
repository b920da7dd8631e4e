"""The first answers of the Workload API for X.509, and who gets none."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.certificate import split_der
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind
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
    """STB-01, WEP-18, WAPI-03, WAPI-48: both RPCs of the optional profile say so."""

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
