"""Administrators' API tokens: shown once, kept as a hash, known again by it."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from ca.events.happened import Actor, ApiTokenCreated, ApiTokenRevoked
from ca.operations.world import World
from ca.registry.api_token import ApiToken, Scope
from finial.spiffe.refusal import Kind, Refusal

PREFIX: Final = "finial-api-1."
MAX_NAME: Final = 128
_SECRET_BYTES: Final = 32
_LONGEST_TEXT: Final = 256


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """A token that was just made; nobody can ask for its text again."""

    text: str
    token: ApiToken

    def __repr__(self) -> str:
        return f"NewApiToken({self.token.id}, text withheld)"


async def create_api_token(
    world: World, actor: Actor, name: str, scopes: frozenset[Scope], *, lifetime: int = 0
) -> NewApiToken:
    """Make a token that allows what its scopes say; `lifetime` is in seconds, 0 for ever.

    Raises: Refusal of kind INVALID, UNAVAILABLE.
    """
    _judge(name, scopes, lifetime)
    secret = base64.urlsafe_b64encode(world.entropy.bytes(_SECRET_BYTES)).decode().rstrip("=")
    text = PREFIX + secret
    now = int(world.clock.now())
    expires_at = now + lifetime if lifetime else 0
    token = ApiToken(world.entropy.uuid(), name, _hash(text), scopes, now, expires_at)
    await world.datastore.create_api_token(token)
    world.record(ApiTokenCreated(actor, token.id, name, frozenset(scopes), expires_at))
    return NewApiToken(text, token)


async def list_api_tokens(world: World) -> list[ApiToken]:
    """Return every token in the order in which they were made."""
    return await world.datastore.list_api_tokens()


async def revoke_api_token(world: World, actor: Actor, token_id: str) -> None:
    """Make a token worthless, at once.

    Raises: Refusal of kind NOT_FOUND, UNAVAILABLE.
    """
    token = await world.datastore.revoke_api_token(token_id)
    world.record(
        ApiTokenRevoked(actor, token.id, token.name, frozenset(token.scopes), token.expires_at)
    )


async def known_api_token(world: World, text: str) -> ApiToken:
    """Find the token that somebody shows.

    Raises: Refusal of kind UNAUTHENTICATED, in the same words whatever is wrong with it.
    """
    token = None
    if text.startswith(PREFIX) and len(text) <= _LONGEST_TEXT:
        token = await world.datastore.find_api_token(_hash(text))
    if token is None or (token.expires_at and token.expires_at <= world.clock.now()):
        raise Refusal(
            Kind.UNAUTHENTICATED,
            "the API token is unknown, revoked or expired",
            remedy="make one with: finial api-token create",
        )
    return token


def _judge(name: str, scopes: frozenset[Scope], lifetime: int) -> None:
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Refusal(
            Kind.INVALID, f"a name has 1 to {MAX_NAME} printable characters", field="name"
        )
    if not scopes:
        raise Refusal(Kind.INVALID, "a token allows at least one thing", field="scopes")
    if lifetime < 0:
        raise Refusal(Kind.INVALID, "a lifetime is not negative", field="ttl", value=str(lifetime))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
