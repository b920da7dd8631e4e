"""How often one address may call, and how a new agent gets a bundle that it can trust."""

import asyncio
from pathlib import Path
from typing import Any

from ca.api.grpc.peer import RemotePeer
from ca.events.happened import SYSTEM
from ca.operations.administration.administer_tokens import create_join_token
from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.refusal import Kind
from finial.wire.join_proof import is_proven, proof_key, token_id
from finial.wire.pb import agent_pb2, follow_pb2, svid_pb2
from tests.doubles.clock import settle
from tests.doubles.house import Client, House, attest_request, csr, entry_for, register
from tests.flows.scenes import play, refused

NONCE = bytes(range(32))


async def attest(client: Client) -> None:
    async with client.stream("Agent.AttestAgent") as stream:
        await stream.send(attest_request("join_token", b"none", csr()))
        await stream.receive()


async def prove(client: Client, token: str, nonce: bytes = NONCE) -> Any:
    request = follow_pb2.GetProvenBundleRequest(token_id=token_id(token), nonce=nonce)
    return await client.call("Bootstrap.GetProvenBundle", request)


def test_whoever_attests_too_fast_waits(tmp_path: Path) -> None:
    """The second attestation of an address waits a second; another address does not (RL-01)."""

    async def act(built: House) -> None:
        one, other = await built.anyone(), await built.door(RemotePeer("192.0.2.77"))
        await refused(attest(one))
        second = asyncio.ensure_future(attest(one))
        await settle(50)
        assert not second.done()
        assert (await refused(attest(other))).kind is Kind.INVALID
        await built.clock.pass_time(1.1)
        assert (await refused(second)).kind is Kind.INVALID

    play(tmp_path, act, ratelimit={"attestation": 1})


def test_a_batch_larger_than_the_burst_is_refused(tmp_path: Path) -> None:
    """Each item takes a token; more at once than there ever are is ResourceExhausted (RL-02)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))

        async def ask(count: int) -> Any:
            params = [svid_pb2.NewX509SVIDParams(entry_id=web.id, csr=csr())] * count
            request = svid_pb2.BatchNewX509SVIDRequest(params=params)
            return await agent.client.call("SVID.BatchNewX509SVID", request)

        assert len((await ask(3)).results) == 3
        told = await refused(ask(4))
        assert told.kind is Kind.EXHAUSTED
        assert told.detail.startswith("rejecting request due to")
        token = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["db"])
        assert (await agent.client.call("SVID.NewJWTSVID", token)).svid.token

    limits = {"attestation": 0, "bootstrap": 0, "signing": 3, "renewal": 0, "status": 0}
    play(tmp_path, act, ratelimit=limits)


def test_a_deadline_that_is_too_near_is_not_waited_for(tmp_path: Path) -> None:
    """A call that could not be answered in time is refused at once."""

    async def act(built: House) -> None:
        agent = await built.join()
        await agent.client.call("Agent.PostStatus", agent_pb2.PostStatusRequest())
        await agent.client.call("Agent.PostStatus", agent_pb2.PostStatusRequest())
        late = agent.client.call("Agent.PostStatus", agent_pb2.PostStatusRequest(), timeout=0.3)
        assert (await refused(late)).kind is Kind.EXHAUSTED

    limits = {"attestation": 0, "bootstrap": 0, "signing": 0, "renewal": 0, "status": 2}
    play(tmp_path, act, ratelimit=limits)


def test_local_administrators_are_not_limited(tmp_path: Path) -> None:
    """Buckets are for addresses; a process of this machine has none (6.4)."""

    async def act(built: House) -> None:
        local = await built.local()
        for _ in range(3):
            assert (await refused(attest(local))).kind is Kind.INVALID

    play(tmp_path, act, ratelimit={"attestation": 1})


def test_a_token_proves_the_bundle(tmp_path: Path) -> None:
    """Only who made the token can give a proof that its holder accepts."""

    async def act(built: House) -> None:
        anyone = await built.anyone()
        await create_join_token(built.world, SYSTEM, 60, text="t")
        answer = await prove(anyone, "t")
        assert is_proven(proof_key("t"), NONCE, answer.document, answer.proof)
        bundle = parse_spiffe_bundle(built.world.trust_domain, answer.document)
        own = built.world.known.bundle.value
        assert bundle.x509_authorities == own.x509_authorities
        assert not is_proven(proof_key("t"), bytes(32), answer.document, answer.proof)

    play(tmp_path, act)


def test_nobody_learns_whether_a_token_exists(tmp_path: Path) -> None:
    """Unknown and expired tokens are answered in the same form, with a proof for nobody."""

    async def act(built: House) -> None:
        anyone = await built.anyone()
        await create_join_token(built.world, SYSTEM, 60, text="old")
        built.clock.jump(61)
        for token in ("never", "old"):
            answer = await prove(anyone, token)
            assert len(answer.proof) == 32
            assert not is_proven(proof_key(token), NONCE, answer.document, answer.proof)
        assert (await refused(prove(anyone, "t", b"short"))).kind is Kind.INVALID

    play(tmp_path, act)


def test_tokens_are_listed_without_a_secret(tmp_path: Path) -> None:
    """The administrator who makes one sees it once; it is nowhere else (7.26)."""

    async def act(built: House) -> None:
        local = await built.local()
        made = await local.call("Agent.CreateJoinToken", agent_pb2.CreateJoinTokenRequest(ttl=60))
        assert len(made.value) == 36
        assert made.expires_at == int(built.clock.now()) + 60
        [kept] = await built.world.datastore.list_join_tokens()
        assert kept.id == token_id(made.value)
        assert made.value not in repr(kept) + str(built.audit.records)
        for ttl in (0, -1):
            request = agent_pb2.CreateJoinTokenRequest(ttl=ttl)
            assert (
                await refused(local.call("Agent.CreateJoinToken", request))
            ).kind is Kind.INVALID

    play(tmp_path, act)
