"""JWT-SVIDs and their validation by the Workload API, with a scripted server behind the agent."""

import asyncio
import json
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle import Bundle, JwtAuthority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb import workload_pb2
from tests.doubles.running_agent import RunningAgent, Scene, soon, until
from tests.flows.agent_scenes import ME, play, refused


async def fetch(agent: RunningAgent, *audience: str, spiffe_id: str = "") -> Any:
    request = workload_pb2.JWTSVIDRequest(audience=audience, spiffe_id=spiffe_id)
    return await agent.call("FetchJWTSVID", request)


async def validate(agent: RunningAgent, audience: str, token: str) -> Any:
    request = workload_pb2.ValidateJWTSVIDRequest(audience=audience, svid=token)
    return await agent.call("ValidateJWTSVID", request)


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = pyjwt.decode(token, options={"verify_signature": False})
    return found


def test_a_token_is_for_all_audiences_asked_for() -> None:
    """WAPI-32, WAPI-35: all requested audiences are in the token and none is added."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME, hint="h")
        async with played.agent() as agent:
            [svid] = (await fetch(agent, "one", "two")).svids
        assert (svid.spiffe_id, svid.hint) == ("spiffe://example.org/web", "h")
        assert sorted(claims(svid.svid)["aud"]) == ["one", "two"]

    play(act)


def test_all_identities_get_a_token() -> None:
    """WAPI-33: without a SPIFFE ID there is a token for each identity, the oldest first."""

    async def act(played: Scene) -> None:
        played.server.entry("z", "/web", ME, created_at=1)
        played.server.entry("a", "/db", ME, created_at=2)
        async with played.agent() as agent:
            answer = await fetch(agent, "a")
        assert [claims(each.svid)["sub"] for each in answer.svids] == [
            "spiffe://example.org/web",
            "spiffe://example.org/db",
        ]

    play(act)


def test_one_identity_may_be_chosen() -> None:
    """WAPI-34: with a SPIFFE ID there is that one alone, also when its hint is another's too."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME, hint="h", created_at=1)
        played.server.entry("b", "/db", ME, hint="h", created_at=2)
        async with played.agent() as agent:
            [svid] = (await fetch(agent, "a", spiffe_id="spiffe://example.org/db")).svids
        assert (svid.spiffe_id, svid.hint) == ("spiffe://example.org/db", "h")

    play(act)


@pytest.mark.parametrize(
    ("audience", "spiffe_id"),
    [
        ((), ""),
        (("",), ""),
        (("a", ""), ""),
        (("a",), "not an id"),
        (("a",), "spiffe://example.org/web/"),
        (tuple(str(n) for n in range(33)), ""),
        (("x" * 2049,), ""),
    ],
)
def test_a_malformed_request_is_invalid(audience: tuple[str, ...], spiffe_id: str) -> None:
    """WAPI-15, WAPI-36: no audience, an empty one, too many, or a malformed ID: InvalidArgument."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            refusal = await refused(fetch(agent, *audience, spiffe_id=spiffe_id))
        assert refusal.kind is Kind.INVALID

    play(act)


def test_what_is_not_the_callers_is_denied() -> None:
    """WAPI-36: no identity, or not the one asked for: PermissionDenied."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", "unix:uid:4242")
        async with played.agent() as agent:
            assert (await refused(fetch(agent, "a"))).kind is Kind.DENIED
            other = fetch(agent, "a", spiffe_id="spiffe://example.org/web")
            assert (await refused(other)).kind is Kind.DENIED

    play(act)


def test_a_token_is_kept_until_half_its_life() -> None:
    """A token serves again until half its life has passed, in any order of its audiences."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            first = await fetch(agent, "x", "y")
            assert await fetch(agent, "y", "x") == first
            await played.pass_time(149)
            assert await fetch(agent, "x", "y") == first
            await played.pass_time(2)
            assert await fetch(agent, "x", "y") != first
        assert played.server.asked.count("NewJWTSVID") == 2

    play(act)


def test_a_kept_token_serves_while_the_server_is_away() -> None:
    """Past half its life a token still serves when the server gives no other, until it expires."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            first = await fetch(agent, "a")
            played.server.refuse_jwt = Refusal(Kind.UNAVAILABLE, "away")
            await played.pass_time(299)
            assert await fetch(agent, "a") == first
            await played.pass_time(1)
            assert (await refused(fetch(agent, "a"))).kind is Kind.UNAVAILABLE

    play(act)


def test_callers_at_the_same_time_share_one_request() -> None:
    """Twenty callers that want the same token cost the server one call."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            answers = await asyncio.gather(*(fetch(agent, "a") for _ in range(20)))
        assert len({each.svids[0].svid for each in answers}) == 1
        assert played.server.asked.count("NewJWTSVID") == 1

    play(act)


def test_tokens_that_are_to_be_unique_are_not_kept() -> None:
    """An entry that wants a jti gets another token for each request."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entries["a"].additional_attributes.jwt_svid_include_jti = True
        async with played.agent() as agent:
            assert await fetch(agent, "a") != await fetch(agent, "a")

    play(act)


def test_a_token_of_a_lost_identity_is_not_handed_out() -> None:
    """A kept token goes with the entry, also when the entry comes back with other rights."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await fetch(agent, "a")
            played.server.entries.clear()
            played.server.tell_entries()
            await until(lambda: not len(agent.parts.tasks.holdings.value.entitlements))
            assert (await refused(fetch(agent, "a"))).kind is Kind.DENIED

    play(act)


def test_a_server_without_jwt_svids_is_said_to_have_none() -> None:
    """WAPI-02: a disabled profile answers Unimplemented."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.refuse_jwt = Refusal(Kind.UNIMPLEMENTED, "JWT functionality is disabled")
        async with played.agent() as agent:
            assert (await refused(fetch(agent, "a"))).kind is Kind.UNIMPLEMENTED

    play(act)


def test_jwt_bundles_are_plain_key_sets() -> None:
    """WAPI-37, WAPI-39, WAPI-40, WAPI-47: JWT keys with kid, without use, and no other keys."""

    async def act(played: Scene) -> None:
        played.server.federated["friend.test"] = Bundle(TrustDomain("friend.test"))
        played.server.entry("a", "/web", ME, federates_with=["friend.test"])
        async with played.agent() as agent:
            answer = await agent.fetch("FetchJWTBundles")
        own = json.loads(answer.bundles["spiffe://example.org"])
        assert [set(key) for key in own["keys"]] == [{"kid", "kty", "crv", "x", "y"}]
        assert json.loads(answer.bundles["spiffe://friend.test"]) == {"keys": []}

    play(act)


def test_a_good_token_is_validated() -> None:
    """WAPI-41, WAPI-42: the subject and all claims come back, the audience as a list."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            now = int(played.clock.now())
            token = played.server.token("/other", ["me"], now, aud="me", role="admin")
            answer = await validate(agent, "me", token)
        assert answer.spiffe_id == "spiffe://example.org/other"
        assert answer.claims["sub"] == "spiffe://example.org/other"
        assert list(answer.claims["aud"]) == ["me"]
        assert answer.claims["exp"] == now + 300
        assert answer.claims["role"] == "admin"

    play(act)


def test_whoever_has_no_identity_may_validate() -> None:
    """WAPI-41: validation needs a caller that can be attested, but no identity."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            token = played.server.token("/other", ["me"], int(played.clock.now()))
            assert (await validate(agent, "me", token)).spiffe_id == "spiffe://example.org/other"

    play(act)


@pytest.mark.parametrize(
    ("audience", "changes"),
    [
        ("other", {}),
        ("me", {"exp": 1}),
        ("me", {"sub": "nobody"}),
        ("me", {"sub": "spiffe://elsewhere.test/x"}),
        ("me", {"nbf": 4_000_000_000}),
        ("", {}),
    ],
)
def test_a_bad_token_is_invalid(audience: str, changes: dict[str, Any]) -> None:
    """WAPI-15, WAPI-41, WAPI-43, WAPI-45: whatever is wrong with it, the answer is InvalidArgument."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            token = played.server.token("/x", ["me"], int(played.clock.now()), **changes)
            assert (await refused(validate(agent, audience, token))).kind is Kind.INVALID
            assert (await refused(validate(agent, "me", ""))).kind is Kind.INVALID
            unsigned = token.rpartition(".")[0] + "."
            assert (await refused(validate(agent, "me", unsigned))).kind is Kind.INVALID

    play(act)


def test_a_foreign_token_shows_only_what_is_allowed() -> None:
    """ID-27, WAPI-42, WAPI-45: by federation alone, and cut to the standard's claims and those allowed."""

    async def act(played: Scene) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        friend = TrustDomain("friend.test")
        played.server.federated["friend.test"] = Bundle(friend, (), (JwtAuthority("f", spki),))
        now = int(played.clock.now())
        payload = {
            "sub": "spiffe://friend.test/x",
            "aud": ["me"],
            "exp": now + 60,
            "role": "guest",
            "secret": "s",
        }
        token = pyjwt.encode(payload, key, "ES256", {"kid": "f"})
        async with played.agent(allowed_foreign_jwt_claims=["role"]) as agent:
            assert (await refused(validate(agent, "me", token))).kind is Kind.INVALID
            played.server.entry("a", "/web", ME, federates_with=["friend.test"])
            played.server.tell_entries()
            await until(lambda: friend in agent.parts.tasks.holdings.value.bundles)
            answer = await validate(agent, "me", token)
        assert set(answer.claims) == {"sub", "aud", "exp", "role"}

    play(act)


def test_a_new_jwt_key_reaches_open_streams() -> None:
    """WAPI-10: when the JWT keys change, a stream of JWT bundles gets one message."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open("FetchJWTBundles") as stream:
            first = await soon(stream.receive())
            played.server.jwt_key = ec.generate_private_key(ec.SECP256R1())
            played.server.sequence += 1
            played.server.tell_bundle()
            assert await soon(stream.receive()) != first

    play(act)
