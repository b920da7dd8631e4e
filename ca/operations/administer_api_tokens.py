"""API tokens: made, recognised and revoked; the server keeps a hash of each and no more."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from ca.events.happened import Actor, ApiTokenCreated, ApiTokenRevoked
from ca.operations.world import World
from ca.registry.api_token import ApiToken, Scope
from finial.spiffe.refusal import Kind, Refusal

PREFIX: Final = "finial_"
_ENTROPY_BYTES: Final = 32
_MAX_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """A token that was just made; nobody can ask for its text again."""

    text: str
    token: ApiToken

    def __repr__(self) -> str:
        return f"NewApiToken({self.token.id}, text withheld)"


async def create_api_token(
    world: World, actor: Actor, name: str, scopes: frozenset[Scope], *, lifetime: int
) -> NewApiToken:
    """Make a token for whoever is called `name`; `lifetime` is in seconds, at least 1.

    Raises: Refusal of kind INVALID, UNAVAILABLE.
    """
    if lifetime < 1 or not name or not scopes:
        raise Refusal(Kind.INVALID, "an API token has a name, a scope and a lifetime")
    secret = base64.urlsafe_b64encode(world.entropy.bytes(_ENTROPY_BYTES)).decode().rstrip("=")
    text = PREFIX + secret
    now = int(world.clock.now())
    token = ApiToken(
        id=world.entropy.uuid(),
        name=name,
        token_hash=_hash(text),
        scopes=scopes,
        created_at=now,
        expires_at=now + lifetime,
    )
    await world.datastore.create_api_token(token)
    world.record(
        ApiTokenCreated(actor, token.id, token.name, frozenset(token.scopes), token.expires_at)
    )
    return NewApiToken(text, token)


async def list_api_tokens(world: World) -> list[ApiToken]:
    """Return every token, in the order in which they were made."""
    return await world.datastore.list_api_tokens()


async def known_api_token(world: World, text: str) -> ApiToken:
    """Recognise a token by its text.

    Raises: Refusal of kind UNAUTHENTICATED when it is unknown, revoked or expired.
    """
    known = None
    if text.startswith(PREFIX) and len(text) <= _MAX_BYTES:
        known = await world.datastore.find_api_token(_hash(text))
    if known is None or 0 < known.expires_at <= world.clock.now():
        raise Refusal(
            Kind.UNAUTHENTICATED,
            "the API token is unknown, revoked or expired",
            remedy="make a new one with: finial api-token create",
        )
    return known


async def revoke_api_token(world: World, actor: Actor, token_id: str) -> None:
    """Forget a token, so that it opens nothing any more.

    Raises: Refusal of kind NOT_FOUND, UNAVAILABLE.
    """
    token = await world.datastore.revoke_api_token(token_id)
    world.record(
        ApiTokenRevoked(actor, token.id, token.name, frozenset(token.scopes), token.expires_at)
    )


def _hash(text: str) -> str:
    # 256 bits drawn at random need no slow hash: there is nothing to guess.
    return hashlib.sha256(text.encode()).hexdigest()
