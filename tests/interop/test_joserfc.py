"""joserfc, a JOSE library that is not ours: what we sign it accepts, what it signs we judge."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from ca.api.oidc.documents import Documents
from ca.operations.rotate_authority import rotate_authorities
from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import parse_spiffe_bundle, render_jwks
from finial.spiffe.identity import TrustDomain
from finial.spiffe.jwt_svid import ALGORITHMS, JwtSvid, verify_jwt
from finial.spiffe.oidc import SIGNING_ALGORITHMS, OidcIssuer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb import svid_pb2, workload_pb2
from tests.doubles.clock import NOW
from tests.doubles.house import Agent, House, entry_for, register
from tests.doubles.running_agent import RunningAgent
from tests.flows.agent_scenes import ME
from tests.flows.agent_scenes import play as play_agent
from tests.flows.agent_scenes import refused as refused_by_agent
from tests.flows.scenes import play

ISSUER = "https://oidc.example.org"
OIDC = {"listen": "127.0.0.1:0"}
FRIEND = TrustDomain.parse("friend.test")
HOME = TrustDomain.parse("example.org")


class Relying:
    """A service that checks tokens by joserfc alone, with the keys that it is given."""

    def __init__(self, keys: bytes, now: float, audience: str = "db") -> None:
        self._keys = KeySet.import_key_set(json.loads(keys))
        self._registry = jwt.JWTClaimsRegistry(
            now=int(now),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def accept(self, token: str) -> Mapping[str, Any]:
        """Return the claims.

        Raises: JoseError or ValueError for whatever is wrong.
        """
        found = jwt.decode(token, self._keys, algorithms=list(SIGNING_ALGORITHMS))
        self._registry.validate(found.claims)
        return found.claims


async def issued(built: House, agent: Agent, entry_id: str) -> str:
    request = svid_pb2.NewJWTSVIDRequest(entry_id=entry_id, audience=["db", "cache"])
    token: str = (await agent.client.call("SVID.NewJWTSVID", request)).svid.token
    return token


def documents(built: House) -> Documents:
    return Documents(built.world, OidcIssuer.parse(ISSUER))


def published(built: House) -> bytes:
    found = documents(built).keys()
    assert found is not None
    return found.content


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_joserfc_accepts_what_we_issue(tmp_path: Path, key_type: str) -> None:
    """By the keys of OIDC discovery and by those of the Workload API (JWT-01 to JWT-11, WAPI-39)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        token, now = await issued(built, agent, web.id), built.clock.now()
        bundle = built.world.known.bundle.value
        for keys in (published(built), render_jwks(bundle)):
            claims = Relying(keys, now).accept(token)
            assert claims["sub"] == "spiffe://example.org/web"
            assert claims["aud"] == ["db", "cache"]
            assert claims["iss"] == ISSUER
        header = jws.extract_compact(token.encode()).headers()
        assert header["kid"] == bundle.jwt_authorities[0].key_id
        assert header["alg"] in SIGNING_ALGORITHMS

    play(tmp_path, act, jwt_key_type=key_type, jwt_issuer=ISSUER, oidc=OIDC)


def test_joserfc_refuses_what_it_should(tmp_path: Path) -> None:
    """Another audience, an end that has passed, another issuer, a changed claim, another key."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web", jwt_svid_ttl=60))
        token, now, keys = await issued(built, agent, web.id), built.clock.now(), published(built)
        head, payload, signature = token.split(".")
        other = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=False)
        renamed = json.dumps({"keys": [{**other, "kid": json.loads(keys)["keys"][0]["kid"]}]})
        for relying, wrong in (
            (Relying(keys, now, "elsewhere"), token),
            (Relying(keys, now + 61), token),
            (Relying(keys, now), f"{head}.{payload[:-4]}AAAA.{signature}"),
            (Relying(keys, now), f"{head}.{payload}."),
            (Relying(renamed.encode(), now), token),
        ):
            with pytest.raises((JoseError, ValueError)):
                relying.accept(wrong)

    play(tmp_path, act, jwt_issuer=ISSUER, oidc=OIDC)


def test_a_key_is_published_before_it_signs_anything(tmp_path: Path) -> None:
    """A verifier whose keys are as old as their cache allows knows every key that signs."""

    async def act(built: House) -> None:
        local, served = await built.local(), documents(built)
        kept, fetched_at = served.keys(), built.clock.now()
        signers = set()
        for _ in range(150):
            built.clock.advance(3)
            await rotate_authorities(built.world)
            now, agent = built.clock.now(), await built.join()
            [web] = await register(local, entry_for(agent.id, "/web", jwt_svid_ttl=5))
            token = await issued(built, agent, web.id)
            signers.add(str(jws.extract_compact(token.encode()).headers()["kid"]))
            assert kept is not None
            assert Relying(kept.content, now).accept(token)
            if now - fetched_at >= kept.seconds:
                kept, fetched_at = served.keys(), now
        assert len(signers) >= 4

    play(tmp_path, act, ca_ttl="2m", jwt_issuer=ISSUER, oidc=OIDC)


KEYS: Mapping[str, Any] = {
    "ec-256": ECKey.generate_key("P-256", {"kid": "ec-256"}),
    "ec-384": ECKey.generate_key("P-384", {"kid": "ec-384"}),
    "ec-521": ECKey.generate_key("P-521", {"kid": "ec-521"}),
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "home": ECKey.generate_key("P-256", {"kid": "home"}),
}
FITTING = {"ES256": "ec-256", "ES384": "ec-384", "ES512": "ec-521"}
CLAIMS: Mapping[str, Any] = {
    "sub": "spiffe://friend.test/web",
    "aud": ["db"],
    "iat": int(NOW),
    "exp": int(NOW) + 300,
}


def bundle_of(domain: TrustDomain, *names: str, **further: Any) -> Bundle:
    """What a SPIFFE bundle becomes whose keys joserfc has written."""
    keys = [{**KEYS[name].as_dict(private=False), "use": "jwt-svid"} for name in names]
    keys += list(further.values())
    return parse_spiffe_bundle(domain, json.dumps({"keys": keys}).encode())


BUNDLES = {
    FRIEND: bundle_of(FRIEND, "ec-256", "ec-384", "ec-521", "rsa"),
    HOME: bundle_of(HOME, "home"),
}


def signed(
    alg: str = "ES256",
    key: Any = None,
    header: Mapping[str, Any] | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token by joserfc; members that are None are left out."""
    name = FITTING.get(alg, "rsa")
    head = {"alg": alg, "kid": name, "typ": "JWT", **(header or {})}
    body = {**CLAIMS, **(claims or {})}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jws.serialize_compact(
        {each: value for each, value in head.items() if value is not None},
        json.dumps({each: value for each, value in body.items() if value is not None}).encode(),
        key or KEYS[name],
        registry=registry,
    )


def judge(token: str) -> JwtSvid:
    return verify_jwt(token, "db", BUNDLES, NOW)


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_what_joserfc_signs_for_a_federated_domain_is_accepted(alg: str) -> None:
    """Every algorithm of the standard, by a key of the federated bundle (JWT-05, JWT-24)."""
    svid = judge(signed(alg))
    assert str(svid.id) == "spiffe://friend.test/web"
    assert svid.audience == ("db",)


PUBLIC_PEM = KEYS["rsa"].as_pem(private=False)


def transplanted(one: str, other: str) -> str:
    """One token with the signature of the other."""
    return f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}"


BROKEN: Mapping[str, Callable[[], str]] = {
    "no signature wanted": lambda: signed("none", OctKey.import_key("x" * 32), {"kid": "ec-256"}),
    "the public key as a secret": lambda: signed("HS256", OctKey.import_key(b"-" + PUBLIC_PEM)),
    "an algorithm that is not the key's": lambda: signed("ES256", header={"kid": "ec-384"}),
    "RSA named, EC signed": lambda: signed("ES256", header={"kid": "rsa"}),
    "Ed25519": lambda: signed("EdDSA", OKPKey.generate_key("Ed25519"), {"kid": "ec-256"}),
    "another key under the same name": lambda: signed(key=ECKey.generate_key("P-256")),
    "an unknown key": lambda: signed(header={"kid": "new"}),
    "no key named": lambda: signed(header={"kid": None}),
    "another trust domain's key": lambda: signed(claims={"sub": "spiffe://example.org/web"}),
    "our own domain's key for a friend": lambda: signed(key=KEYS["home"], header={"kid": "home"}),
    "a trust domain that nobody knows": lambda: signed(claims={"sub": "spiffe://other.test/web"}),
    "a subject that is no SPIFFE ID": lambda: signed(claims={"sub": "web"}),
    "no subject": lambda: signed(claims={"sub": None}),
    "another audience": lambda: signed(claims={"aud": ["cache"]}),
    "no audience": lambda: signed(claims={"aud": None}),
    "an empty audience": lambda: signed(claims={"aud": []}),
    "an end that has passed": lambda: signed(claims={"exp": int(NOW) - 61}),
    "no end": lambda: signed(claims={"exp": None}),
    "an end that is a text": lambda: signed(claims={"exp": str(int(NOW) + 300)}),
    "a beginning to come": lambda: signed(claims={"nbf": int(NOW) + 120}),
    "another type": lambda: signed(header={"typ": "at+jwt"}),
    "a key of its own": lambda: signed(header={"jwk": KEYS["home"].as_dict(private=False)}),
    "keys from elsewhere": lambda: signed(header={"jku": "https://evil.example/keys"}),
    "an unknown critical header": lambda: signed(header={"crit": ["b64"], "b64": True}),
    "a signature cut short": lambda: signed()[:-4],
    "a signature of another token": lambda: transplanted(
        signed(claims={"exp": int(NOW) + 9}), signed()
    ),
    "a changed claim": lambda: signed().replace(".", ".e", 1),
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_a_token_of_joserfcs_is_found(make: Callable[[], str]) -> None:
    """Each is refused as invalid, and its signature is not repeated (JWT-02 to JWT-18)."""
    token = make()
    with pytest.raises(Refusal) as caught:
        judge(token)
    assert caught.value.kind is Kind.INVALID
    said = f"{caught.value.detail} {caught.value.value}"
    assert not any(len(part) > 8 and part in said for part in token.split("."))


def test_a_bundle_of_a_friend_may_hold_keys_that_we_cannot_use() -> None:
    """An Ed25519 key is passed over, and the others still count (TDB-14)."""
    edwards = {**OKPKey.generate_key("Ed25519").as_dict(private=False), "kid": "e"}
    bundle = bundle_of(FRIEND, "ec-256", edwards={**edwards, "use": "jwt-svid"})
    assert [each.key_id for each in bundle.jwt_authorities] == ["ec-256"]


async def validate(agent: RunningAgent, audience: str, token: str) -> Any:
    request = workload_pb2.ValidateJWTSVIDRequest(audience=audience, svid=token)
    return await agent.call("ValidateJWTSVID", request)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_an_agent_judges_them_for_workloads() -> None:
    """ValidateJWTSVID: accepted for who federates with the domain, the broken refused (WAPI-42)."""

    async def act(played: Any) -> None:
        now = int(played.clock.now())
        times = {"iat": now, "exp": now + 300}
        played.server.federated["friend.test"] = BUNDLES[FRIEND]
        played.server.entry("a", "/web", ME, federates_with=["friend.test"])
        async with played.agent() as agent:
            answer = await validate(agent, "db", signed(claims=times))
            assert answer.spiffe_id == "spiffe://friend.test/web"
            for token in (
                signed(key=ECKey.generate_key("P-256"), claims=times),
                signed(header={"kid": "new"}, claims=times),
                signed(claims={**times, "exp": now - 61}),
                signed("none", OctKey.import_key("x" * 32), claims=times),
            ):
                refusal = await refused_by_agent(validate(agent, "db", token))
                assert refusal.kind is Kind.INVALID

    play_agent(act)
