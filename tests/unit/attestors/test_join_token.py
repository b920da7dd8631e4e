"""The node attestor join_token: a secret that is spent once."""

import asyncio
from pathlib import Path

import pytest

from attestors.contract import VerifierContext
from attestors.node.join_token import evidence, payload, verifier
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entropy import RepeatingEntropy
from tests.unit.attestors.conversation import hold

TD = TrustDomain("example.org")
TOKEN = "9b0fdd3c-5a3d-4c4f-9f6c-0f4f9c0a1b2c"
JUDGE = verifier.create(
    verifier.Settings(), VerifierContext(TD, lambda: Bundle(TD), RepeatingEntropy())
)


def test_the_payload_is_the_token() -> None:
    """On the wire a join token is its own bytes, without JSON (BN-01)."""
    given = evidence.create(evidence.Settings(token=TOKEN))
    assert asyncio.run(given.payload()) == TOKEN.encode()


def test_a_spent_token_names_the_agent_and_stays_hidden() -> None:
    """The agent's path holds the token's name, never the token, and there are no selectors (PN-01)."""
    spent: list[str] = []
    given = evidence.create(evidence.Settings(token=TOKEN))
    verdict = asyncio.run(hold(given, JUDGE, NOW, spent=spent))
    assert spent == [TOKEN]
    assert verdict.agent_path == f"/join_token/{payload.token_id(TOKEN)}"
    assert TOKEN not in verdict.agent_path
    assert not verdict.selectors
    assert not verdict.can_reattest


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    """`token_file` is read at each attestation, without the space around it."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    given = evidence.create(evidence.Settings(token_file=str(tmp_path / "token")))
    assert asyncio.run(given.payload()) == TOKEN.encode()
    (tmp_path / "token").unlink()
    with pytest.raises(Refusal, match="cannot be read"):
        asyncio.run(given.payload())


def test_an_agent_without_a_token_says_what_to_do() -> None:
    """Without a token the agent names the command that makes one."""
    with pytest.raises(Refusal, match="finial token create") as caught:
        asyncio.run(evidence.create(evidence.Settings()).payload())
    assert caught.value.kind is Kind.PRECONDITION


def test_a_token_is_never_printed() -> None:
    """The settings' representation does not hold the token."""
    assert TOKEN not in repr(evidence.Settings(token=TOKEN))


def test_two_sources_of_a_token_are_one_too_many() -> None:
    """token and token_file exclude each other."""
    with pytest.raises(ValueError, match="both"):
        evidence.Settings(token=TOKEN, token_file="x")


def test_a_challenge_is_not_answered() -> None:
    """A join token knows no challenge."""
    with pytest.raises(Refusal):
        asyncio.run(evidence.create(evidence.Settings(token=TOKEN)).respond(b"?"))


@pytest.mark.parametrize("document", [b"", b"\xff\xfe", b"x" * 1025])
def test_what_is_no_token_is_invalid(document: bytes) -> None:
    """A payload that is empty, too long or not text is refused before the datastore is asked."""
    with pytest.raises(Refusal) as caught:
        next(JUDGE.verify(document, NOW))
    assert caught.value.kind is Kind.INVALID
    assert not document or repr(document) not in str(caught.value)


def test_a_bundle_is_proven_to_who_holds_the_token() -> None:
    """The proof fits one token, one nonce and one document only."""
    key = payload.proof_key(TOKEN)
    proof = payload.bundle_proof(key, b"n" * 32, b"{}")
    assert payload.is_proven(key, b"n" * 32, b"{}", proof)
    assert not payload.is_proven(key, b"m" * 32, b"{}", proof)
    assert not payload.is_proven(key, b"n" * 32, b"{ }", proof)
    assert not payload.is_proven(payload.proof_key("other"), b"n" * 32, b"{}", proof)


def test_neither_name_nor_key_lead_to_each_other() -> None:
    """Name and key of a token are derived apart, so that the name can be shown."""
    assert len(payload.token_id(TOKEN)) == 32
    assert payload.proof_key(TOKEN).hex()[:32] != payload.token_id(TOKEN)
