"""A node joins a server by a token or a certificate, renews, is banned and evicted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from attestors.node.x509pop import evidence
from ca.datastore.ledger import IssuedFilter
from ca.events.happened import SYSTEM
from ca.operations.administration.administer_tokens import create_join_token
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.x509_svid import verify
from finial.wire.convert import spiffe_id_message, x509_svid_from
from finial.wire.pb import agent_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.house import Client, House, attest_request, csr, new_key
from tests.flows.scenes import play, refused


def test_an_agent_joins_by_a_token(tmp_path: Path) -> None:
    """A token makes an agent whose ID, ledger row and audit show nothing of the token (BN-01)."""

    async def act(built: House) -> None:
        agent = await built.join(text="secret-token")
        bundles = {built.world.trust_domain: built.world.known.bundle.value}
        assert verify(agent.svid, bundles, built.clock.now()) == agent.id
        assert agent.id.path.startswith("/spire/agent/join_token/")
        node = built.world.known.nodes.get(agent.id)
        assert node is not None
        assert (node.serial_number, node.can_reattest) == (str(agent.svid.serial), False)
        ledger = await built.world.datastore.list_issued(IssuedFilter())
        assert [each.serial for each in ledger.items] == [node.serial_number]
        assert built.audit.kinds()[-2:] == ["node_attested", "svid_issued"]
        assert "secret" not in agent.id.path + str(built.audit.records)

    play(tmp_path, act)


def test_a_token_is_spent_once(tmp_path: Path) -> None:
    """Whoever comes second with another key gets nothing; the same key may come again (BN-01)."""

    async def act(built: House) -> None:
        key = new_key()
        await create_join_token(built.world, SYSTEM, 600, text="t")
        first = await built.attest("join_token", b"t", key)
        other = await refused(built.attest("join_token", b"t"))
        assert other.kind is Kind.INVALID
        assert "join token does not exist or has already been used" in other.detail
        again = await built.attest("join_token", b"t", key)
        assert again.id == first.id
        assert again.svid.serial != first.svid.serial

    play(tmp_path, act)


def test_a_race_for_a_token_has_one_winner(tmp_path: Path) -> None:
    """Of ten nodes that show one token at once, one becomes an agent."""

    async def act(built: House) -> None:
        await create_join_token(built.world, SYSTEM, 600, text="t")
        tries = [built.attest("join_token", b"t") for _ in range(10)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(each, Refusal) for each in results) == 1
        assert len(built.world.known.nodes) == 1

    play(tmp_path, act)


def test_an_expired_token_is_worth_nothing(tmp_path: Path) -> None:
    """An expired token is refused in SPIRE's words and consumed (7.26)."""

    async def act(built: House) -> None:
        await create_join_token(built.world, SYSTEM, 60, text="t")
        built.clock.jump(61)
        first = await refused(built.attest("join_token", b"t"))
        assert first.detail == "failed to attest: join token expired"
        second = await refused(built.attest("join_token", b"t"))
        assert "does not exist or has already been used" in second.detail

    play(tmp_path, act)


def test_a_token_may_name_a_stable_parent(tmp_path: Path) -> None:
    """The alias of a token becomes an entry of the agent, and goes with it (7.26, BR-07)."""

    async def act(built: House) -> None:
        fleet = SpiffeId.parse("spiffe://example.org/fleet")
        agent = await built.join(alias=fleet)
        [alias] = built.world.known.entries.children(agent.id)
        assert alias.spiffe_id == fleet
        assert [str(each) for each in alias.selectors] == [f"spiffe_id:{agent.id}"]
        local = await built.local()
        await local.call("Agent.DeleteAgent", _delete(agent.id))
        assert built.world.known.entries.children(agent.id) == ()
        assert built.world.known.nodes.get(agent.id) is None

    play(tmp_path, act)


def test_a_node_joins_by_its_certificate_and_comes_again(tmp_path: Path) -> None:
    """x509pop asks for a proof of possession, and its agents attest again (BN-03, BR-02)."""

    async def act(built: House) -> None:
        first = await by_certificate(built, tmp_path)
        second = await by_certificate(built, tmp_path)
        assert first.id == second.id
        assert first.id.path.startswith("/spire/agent/x509pop/")
        node = built.world.known.nodes.get(first.id)
        assert node is not None
        assert (node.can_reattest, node.serial_number) == (True, str(second.serial))
        client = await built.show(second)
        told = await refused(client.call("Agent.RenewAgent", _renew()))
        assert (told.kind, told.reason) == (Kind.DENIED, Reason.AGENT_MUST_REATTEST)
        assert told.detail == "agent must reattest instead of renew"

    play(tmp_path, act, **x509pop(tmp_path))


def test_an_agent_renews(tmp_path: Path) -> None:
    """Old and new serial numbers count until the new one is used (BR-03, TR-10)."""

    async def act(built: House) -> None:
        agent = await built.join()
        answer = await agent.client.call("Agent.RenewAgent", _renew())
        renewed = x509_svid_from(answer.svid)
        assert renewed.id == agent.id
        await agent.client.call("Agent.PostStatus")
        newer = await built.show(renewed)
        await newer.call("Agent.PostStatus")
        told = await refused(agent.client.call("Agent.PostStatus"))
        assert (told.kind, told.reason) == (Kind.DENIED, Reason.AGENT_NOT_ACTIVE)
        assert built.audit.kinds()[-3:-1] == ["node_renewed", "svid_issued"]

    play(tmp_path, act)


def test_a_banned_agent_is_told_so_until_it_is_evicted(tmp_path: Path) -> None:
    """A ban refuses every call and every attestation; eviction forgets it (BR-04, BR-06)."""

    async def act(built: House) -> None:
        agent = await built.join(text="t")
        local = await built.local()
        await local.call(
            "Agent.BanAgent", agent_pb2.BanAgentRequest(id=spiffe_id_message(agent.id))
        )
        told = await refused(agent.client.call("Agent.PostStatus"))
        assert (told.kind, told.reason) == (Kind.DENIED, Reason.AGENT_BANNED)
        assert told.detail == f'agent "{agent.id}" is banned'
        again = await refused(built.attest("join_token", b"t", agent.key))
        assert (again.kind, again.reason) == (Kind.DENIED, Reason.AGENT_BANNED)
        assert again.detail == "failed to attest: agent is banned"
        shown = await local.call("Agent.GetAgent", _get(agent.id))
        assert (shown.banned, shown.x509svid_serial_number) == (True, "")
        await local.call("Agent.DeleteAgent", _delete(agent.id))
        gone = await refused(agent.client.call("Agent.PostStatus"))
        assert gone.reason is Reason.AGENT_NOT_ATTESTED
        assert (await refused(local.call("Agent.GetAgent", _get(agent.id)))).kind is Kind.NOT_FOUND

    play(tmp_path, act)


def test_an_expired_agent_is_told_so(tmp_path: Path) -> None:
    """On a connection that outlived the SVID the reason is AGENT_EXPIRED (BR-04)."""

    async def act(built: House) -> None:
        agent = await built.join()
        built.clock.jump(3601)
        told = await refused(agent.client.call("Agent.PostStatus"))
        assert (told.kind, told.reason) == (Kind.DENIED, Reason.AGENT_EXPIRED)

    play(tmp_path, act)


def test_evidence_that_cannot_be_given_again_is_refused(tmp_path: Path) -> None:
    """An attestor that trusts the first use only never makes the same agent twice (7.12)."""

    async def act(built: House) -> None:
        agent = await by_certificate(built, tmp_path)
        node = built.world.known.nodes.get(agent.id)
        assert node is not None
        once_only = _OnceOnly(agent.id.path.removeprefix("/spire/agent"))
        object.__setattr__(built.world, "verifiers", {"once": once_only})
        told = await refused(built.attest("once", b"x"))
        assert told.kind is Kind.DENIED
        assert "already been used" in told.detail

    play(tmp_path, act, **x509pop(tmp_path))


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (agent_pb2.AttestAgentRequest(challenge_response=b"x"), "missing params"),
        (attest_request("", b"t", b"c"), "missing attestation data type"),
        (attest_request("join_token", b"", b"c"), "missing attestation data payload"),
        (attest_request("join_token", b"t", b""), "missing CSR"),
    ],
)
def test_incomplete_parameters_are_refused(tmp_path: Path, request_: Any, fault: str) -> None:
    """Type, payload and CSR are all needed (spire-wire 6.1)."""

    async def act(built: House) -> None:
        told = await refused(attest(await built.anyone(), request_))
        assert (told.kind, told.detail) == (Kind.INVALID, f"malformed param: {fault}")

    play(tmp_path, act)


def test_an_unknown_attestor_is_a_failed_precondition(tmp_path: Path) -> None:
    """The text is SPIRE's, because its test suites compare it (TR-06)."""

    async def act(built: House) -> None:
        told = await refused(built.attest("tpm_devid", b"x"))
        assert told.kind is Kind.PRECONDITION
        wanted = 'error getting node attestor: could not find node attestor type "tpm_devid"'
        assert told.detail == wanted

    play(tmp_path, act)


def test_a_broken_csr_spends_no_token(tmp_path: Path) -> None:
    """A node that sends a CSR which cannot be read may try again with the same token."""

    async def act(built: House) -> None:
        await create_join_token(built.world, SYSTEM, 600, text="t")
        client = await built.anyone()
        told = await refused(attest(client, attest_request("join_token", b"t", b"junk")))
        assert told.kind is Kind.INVALID
        assert (await built.attest("join_token", b"t")).id

    play(tmp_path, act)


def test_nothing_is_attested_without_an_audit(tmp_path: Path) -> None:
    """An act that cannot be audited is refused."""

    async def act(built: House) -> None:
        await create_join_token(built.world, SYSTEM, 600, text="t")
        built.audit.is_full = True
        told = await refused(built.attest("join_token", b"t"))
        assert told.kind is Kind.UNAVAILABLE
        assert "audited" in told.detail

    play(tmp_path, act)


class _OnceOnly:
    name = "once"

    def __init__(self, path: str) -> None:
        self.path = path

    def verify(self, payload: bytes, now: float, address: Any = None) -> Any:
        from attestors.contract import Verdict

        yield from ()
        return Verdict(self.path)


async def attest(client: Client, request: Any) -> None:
    async with client.stream("Agent.AttestAgent") as stream:
        await stream.send(request)
        await stream.receive()


def x509pop(folder: Path) -> dict[str, Any]:
    """Settings of a server that trusts a CA whose certificate and a node's lie in the folder."""
    ca = SmallCa("nodes.example")
    signed = ca.leaf(["spiffe://nodes.example/one"])
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "node.pem").write_bytes(signed.chain_pem)
    (folder / "node.key").write_bytes(signed.key_pem)
    attestor = {"x509pop": {"ca_bundle_path": str(folder / "ca.pem")}}
    return {"plugins": {"node_attestor": attestor}}


async def by_certificate(built: House, folder: Path) -> Any:
    """Attest by x509pop; return the SVID."""
    settings = evidence.Settings(str(folder / "node.key"), str(folder / "node.pem"))
    shown = evidence.create(settings)
    client = await built.anyone()
    async with client.stream("Agent.AttestAgent") as stream:
        await stream.send(attest_request("x509pop", await shown.payload(), csr()))
        challenge = await stream.receive()
        response = await shown.respond(challenge.challenge)
        await stream.send(agent_pb2.AttestAgentRequest(challenge_response=response))
        answer = await stream.receive()
        assert answer.result.reattestable
        assert await stream.receive() is None
    return x509_svid_from(answer.result.svid)


def _renew() -> agent_pb2.RenewAgentRequest:
    return agent_pb2.RenewAgentRequest(params=agent_pb2.AgentX509SVIDParams(csr=csr()))


def _get(agent: SpiffeId) -> agent_pb2.GetAgentRequest:
    return agent_pb2.GetAgentRequest(id=spiffe_id_message(agent))


def _delete(agent: SpiffeId) -> agent_pb2.DeleteAgentRequest:
    return agent_pb2.DeleteAgentRequest(id=spiffe_id_message(agent))
