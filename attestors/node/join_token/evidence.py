"""The agent's half: it shows its token."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attestors.node.join_token import payload as wire
from finial.spiffe.refusal import Kind, Refusal

_REMEDY: Final = "run `finial token create` at the server and give its join string to this agent"


@dataclass(frozen=True, slots=True)
class Settings:
    """The token itself, or the file that holds it; the file is read at each attestation."""

    token: str = field(default="", repr=False)
    token_file: str = ""

    def __post_init__(self) -> None:
        if self.token and self.token_file:
            raise ValueError("token and token_file are both given, and one token is enough")


class JoinTokenEvidence:
    """Shows the token; there is no challenge."""

    name = wire.NAME

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def payload(self) -> bytes:
        """Return the token.

        Raises: Refusal of kind PRECONDITION: there is none.
        """
        token = self._settings.token or _read(self._settings.token_file)
        if not token:
            raise Refusal(Kind.PRECONDITION, "this agent has no join token to show", remedy=_REMEDY)
        return wire.encode(token)

    async def respond(self, challenge: bytes) -> bytes:
        """Refuse: a join token answers no questions. Raises: Refusal of kind INVALID."""
        raise Refusal(Kind.INVALID, "the server sent a challenge, and join tokens answer none")


def create(settings: Settings) -> JoinTokenEvidence:
    """Make the evidence."""
    return JoinTokenEvidence(settings)


def _read(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the file of the join token cannot be read: {error}",
            field="token_file",
            value=path,
            remedy=_REMEDY,
        ) from error
