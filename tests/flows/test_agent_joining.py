"""The agent joins: what it trusts, and what it tells whom."""

import hashlib

from agent.membership.standing import Phase
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import Scene, until, until_in_time
from tests.flows.agent_scenes import play, refused


def test_an_agent_joins_by_a_join_string() -> None:
    """A join string alone is enough: server, trust domain, token, and a bundle with its proof."""

    async def act(played: Scene) -> None:
        async with played.agent(**played.join_file()) as agent:
            status = await agent.status()
        assert status.agent_id == "spiffe://example.org/spire/agent/x509pop/node"
        assert played.server.asked[:3] == ["GetProvenBundle", "AttestAgent", "GetBundle"]
        assert played.server.evidence == [("join_token", b"join-token-of-a-test")]

    play(act)


def test_an_impostor_cannot_prove_the_bundle() -> None:
    """Who did not make the token gets neither the token nor an agent."""

    async def act(played: Scene) -> None:
        settings = played.join_file()
        played.server.tokens.clear()
        async with played.agent(synced=False, **settings) as agent:
            refusal = await refused(agent.standing)
        assert refusal.kind is Kind.DENIED
        assert "could not prove" in refusal.detail
        assert "AttestAgent" not in played.server.asked

    play(act)


def test_a_spent_token_says_what_to_run() -> None:
    """A token that the server does not take ends the agent with the command that helps."""

    async def act(played: Scene) -> None:
        detail = "failed to attest: join token does not exist or has already been used"
        played.server.refuse_attestation = Refusal(Kind.INVALID, detail)
        async with played.agent(synced=False, **played.join_file()) as agent:
            refusal = await refused(agent.standing)
        assert detail in refusal.detail
        assert "finial token create" in refusal.remedy

    play(act)


def test_an_attestation_cut_short_is_tried_again_with_the_same_key() -> None:
    """The key is on the disk before the node attests, so that a spent token serves it again."""

    async def act(played: Scene) -> None:
        settings = played.join_file()
        played.server.refuse_attestation = Refusal(Kind.UNAVAILABLE, "killed here")
        async with played.agent(synced=False, **settings) as agent:
            await until(lambda: bool(played.server.evidence))
            _, first = await agent.parts.member.next_key()
        played.server.refuse_attestation = None
        async with played.agent(**settings) as agent:
            keys = list((played.folder / "d/private/agent/keys").iterdir())
            assert [key.name for key in keys] == ["agent-svid-a.pkcs8"]
        assert first is not None

    play(act)


def test_a_pinned_authority_is_enough_to_trust() -> None:
    """With the SHA-256 of an authority nothing else has to be brought to the node."""

    async def act(played: Scene) -> None:
        pin = hashlib.sha256(played.server.ca.der).hexdigest()
        async with played.agent(trust_bundle_path=None, trust_bundle_sha256=pin) as agent:
            assert agent.parts.member.id is not None

    play(act)


def test_a_wrong_pin_is_an_impostor() -> None:
    """A server that shows no authority with the pinned SHA-256 is not joined."""

    async def act(played: Scene) -> None:
        pins = {"trust_bundle_path": None, "trust_bundle_sha256": "ab" * 32}
        async with played.agent(synced=False, **pins) as agent:
            assert (await refused(agent.standing)).kind is Kind.DENIED
        assert "AttestAgent" not in played.server.asked

    play(act)


def test_insecure_bootstrap_is_explicit() -> None:
    """Without any trust the agent joins only where the settings say so in a word."""

    async def act(played: Scene) -> None:
        async with played.agent(synced=False, trust_bundle_path=None) as agent:
            refusal = await refused(agent.standing)
            assert "trust" in refusal.detail
        async with played.agent(trust_bundle_path=None, insecure_bootstrap=True) as agent:
            assert agent.parts.member.id is not None

    play(act)


def test_a_server_of_another_authority_is_not_joined() -> None:
    """A server that the bundle file does not vouch for sees no evidence."""

    async def act(played: Scene) -> None:
        other = SmallCa(now=played.clock.now())
        (played.folder / "bundle.pem").write_bytes(other.pem)
        async with played.agent(synced=False) as agent:
            await until(lambda: bool(played.clock.sleepers))
            await played.pass_time(1)
            assert agent.parts.member.standing.value.phase is Phase.UNATTESTED
            # The file is read again before each attestation.
            (played.folder / "bundle.pem").write_bytes(played.server.ca.pem)
            await until_in_time(played, lambda: agent.parts.member.id is not None, step=30)
        assert played.server.evidence

    play(act)
