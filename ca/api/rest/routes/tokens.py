"""What lets others in: `/v1/join-tokens` for agents, `/v1/api-tokens` for administrators."""

from typing import Annotated

from fastapi import APIRouter, Request, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.parsing import parsed
from ca.api.rest.shapes.shape import Page
from ca.api.rest.shapes.token import (
    ApiTokenDocument,
    CreatedApiToken,
    CreatedJoinToken,
    JoinTokenDocument,
    NewApiToken,
    NewJoinToken,
)
from ca.operations.administration.administer_api_tokens import (
    create_api_token,
    list_api_tokens,
    revoke_api_token,
)
from ca.operations.administration.administer_tokens import create_join_token, list_join_tokens
from ca.registry.api_token import Scope
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

router = APIRouter(prefix="/v1", tags=["tokens"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.TOKENS_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.TOKENS_WRITE])]


@router.post("/join-tokens", status_code=201)
async def make_join_token(request: Request, caller: Writer, body: NewJoinToken) -> CreatedJoinToken:
    """Make a token by which one agent joins, once; the server keeps no copy of it."""
    world = world_of(request)
    alias = parsed("spiffe_id", body.spiffe_id, SpiffeId.parse)
    made = await create_join_token(world, caller.actor, body.ttl, alias=alias)
    document = JoinTokenDocument.of(made.token, world.trust_domain)
    return CreatedJoinToken(
        **dict(document),
        value=made.text,
        trust_domain=world.trust_domain.name,
        servers=list(made.join_string.servers),
        join=made.join_string.render(),
    )


@router.get("/join-tokens")
async def get_join_tokens(request: Request, caller: Reader) -> Page[JoinTokenDocument]:
    """List the join tokens that are known, never the tokens themselves."""
    world = world_of(request)
    known = await list_join_tokens(world)
    return Page(
        items=[JoinTokenDocument.of(token, world.trust_domain) for token in known],
        next_page_token="",
    )


@router.post("/api-tokens", status_code=201)
async def make_api_token(request: Request, caller: Writer, body: NewApiToken) -> CreatedApiToken:
    """Make an API token with some of the caller's own scopes, and no longer a life."""
    scopes = frozenset(body.scopes)
    beyond = scopes - caller.scopes
    if beyond:
        raise Refusal(
            Kind.DENIED,
            "nobody gives away a scope that they do not have themselves",
            field="scopes",
            value=min(beyond),
        )
    world = world_of(request)
    made = await create_api_token(
        world,
        caller.actor,
        body.name,
        scopes,
        lifetime=_lifetime(caller, body.ttl, int(world.clock.now())),
    )
    return CreatedApiToken(**dict(ApiTokenDocument.of(made.token)), token=made.text)


def _lifetime(caller: Administrator, wanted: int, now: int) -> int:
    """A token that makes others does not outlive itself in them."""
    return min(wanted, caller.expires_at - now) if caller.expires_at else wanted


@router.get("/api-tokens")
async def get_api_tokens(request: Request, caller: Reader) -> Page[ApiTokenDocument]:
    """List the API tokens, never the tokens themselves."""
    known = await list_api_tokens(world_of(request))
    return Page(items=[ApiTokenDocument.of(token) for token in known], next_page_token="")


@router.delete("/api-tokens/{token_id}", status_code=204)
async def revoke(request: Request, caller: Writer, token_id: str) -> None:
    """Revoke an API token, at once."""
    await revoke_api_token(world_of(request), caller.actor, token_id)
