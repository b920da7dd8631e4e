"""The server's half: it has the token spent, which can be done once."""

from dataclasses import dataclass

from attestors.contract import Address, Conversation, SpendToken, Verdict, VerifierContext
from attestors.node.join_token import payload as wire
from attestors.node.join_token.grammar import GRAMMAR

__all__ = ["GRAMMAR", "JoinTokenVerifier", "Settings", "create"]


@dataclass(frozen=True, slots=True)
class Settings:
    """There is nothing to set."""


class JoinTokenVerifier:
    """Takes a token that was never spent; it says nothing of the node: there are no selectors."""

    name = wire.NAME

    def verify(self, payload: bytes, now: float, address: Address | None = None) -> Conversation:
        """Have the token spent; its name, not the token, becomes the agent's path.

        Raises: Refusal of kind INVALID.
        """
        token = wire.decode(payload)
        yield SpendToken(token)
        return Verdict(f"/{self.name}/{wire.token_id(token)}")


def create(settings: Settings, context: VerifierContext) -> JoinTokenVerifier:
    """Make the verifier."""
    return JoinTokenVerifier()
