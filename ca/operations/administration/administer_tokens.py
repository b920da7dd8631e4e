"""Join tokens: made, listed without a secret, and proven to an agent that has not joined yet."""

from dataclasses import dataclass
from typing import Final

from ca.events.happened import Actor, JoinTokenCreated
from ca.operations.world import World
from ca.registry.join_token import JoinToken
from finial.spiffe.bundle_document import render_spiffe_bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import judge_workload_id
from finial.wire.join_proof import bundle_proof, proof_key, token_id
from finial.wire.join_string import JoinString

MAX_TOKEN_BYTES: Final = 1024
NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class NewJoinToken:
    """A token that was just made; nobody can ask for its text again."""

    text: str
    token: JoinToken
    join_string: JoinString

    def __repr__(self) -> str:
        return f"NewJoinToken({self.token.id}, text withheld)"


async def create_join_token(
    world: World, actor: Actor, lifetime: int, *, text: str = "", alias: SpiffeId | None = None
) -> NewJoinToken:
    """Make a token for one node; `lifetime` is in seconds, at least 1.

    Raises: Refusal of kind INVALID, EXISTS, UNAVAILABLE.
    Spec: SPIRE 7.26.
    """
    if lifetime < 1:
        raise Refusal(Kind.INVALID, "ttl is required, you must provide one", field="ttl")
    if len(text) > MAX_TOKEN_BYTES or not text.isascii():
        raise Refusal(
            Kind.INVALID, f"a token has at most {MAX_TOKEN_BYTES} ASCII characters", field="token"
        )
    if alias is not None:
        judge_workload_id(alias, world.trust_domain)
    text = text or world.entropy.uuid()
    expires_at = int(world.clock.now()) + lifetime
    token = JoinToken(token_id(text), proof_key(text), expires_at, alias)
    await world.datastore.create_join_token(token)
    world.record(JoinTokenCreated(actor, token.id, expires_at, alias))
    return NewJoinToken(text, token, JoinString(world.trust_domain, world.addresses(), text))


async def list_join_tokens(world: World) -> list[JoinToken]:
    """Return every token, those that expire first at the head."""
    return await world.datastore.list_join_tokens()


async def prove_bundle(world: World, named: str, nonce: bytes) -> tuple[bytes, bytes]:
    """Return our bundle's document and a proof that only who made the token can give.

    Whoever names a token that does not exist, has been spent or has expired is answered in the
    same form, with a proof that holds for nobody.

    Raises: Refusal of kind INVALID.
    """
    if len(nonce) != NONCE_BYTES:
        raise Refusal(Kind.INVALID, f"the nonce has {NONCE_BYTES} bytes", field="nonce")
    document = render_spiffe_bundle(world.known.bundle.value)
    token = await world.datastore.join_token(named[:MAX_TOKEN_BYTES])
    decoy = world.entropy.bytes(32)
    good = token is not None and token.expires_at > world.clock.now()
    key = token.proof_key if token is not None and good else decoy
    return document, bundle_proof(key, nonce, document)
