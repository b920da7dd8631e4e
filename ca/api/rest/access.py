"""Who may call a route: its scope is declared at the route, and judged here alone."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from ca.api.rest.connection import LocalPeer, Peer
from ca.events.happened import Actor, ActorKind
from ca.operations.administration.administer_api_tokens import known_api_token
from ca.operations.world import World
from ca.registry.api_token import Scope
from finial.spiffe.refusal import Kind, Refusal

EVERY_SCOPE: Final = frozenset(Scope)
_bearer = HTTPBearer(auto_error=False, description="An API token, over HTTPS.")


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who calls, and what they may do; `id` is the API token's, empty on the local socket.

    `expires_at` is the token's end in Unix seconds, 0 for never.
    """

    name: str
    id: str
    scopes: frozenset[Scope]
    peer: Peer
    expires_at: int = 0

    @property
    def is_local(self) -> bool:
        """Whether the kernel vouches for the caller."""
        return isinstance(self.peer, LocalPeer)

    @property
    def actor(self) -> Actor:
        """The caller as the audit log knows them."""
        return _actor(self.peer, self.id)


def world_of(request: Request) -> World:
    """What the operations work with."""
    world = request.app.state.world
    assert isinstance(world, World)
    return world


async def authorized(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Administrator:
    """Find out who calls and judge whether the route is theirs to call.

    Raises: Refusal of kind UNAUTHENTICATED or DENIED.
    """
    world = world_of(request)
    caller = await _caller(request, world, credentials.credentials if credentials else "")
    request.state.caller = caller
    wanted = [Scope(name) for name in needed.scopes]
    lacking = [scope for scope in wanted if scope not in caller.scopes]
    if lacking:
        raise Refusal(
            Kind.DENIED,
            f"the API token {caller.name!r} lacks the scope {lacking[0]}",
            field="scopes",
            value=str(lacking[0]),
            remedy="make a token that has it: finial api-token create --scope ...",
        )
    if (
        Scope.MINT in wanted
        and not caller.is_local
        and not world.settings.server.rest.mint_over_https
    ):
        raise Refusal(
            Kind.DENIED,
            "minting over HTTPS is switched off",
            remedy="mint on the server's admin socket, or set mint_over_https in [server.rest]",
        )
    return caller


async def _caller(request: Request, world: World, token: str) -> Administrator:
    peer: Peer = request.state.peer
    if isinstance(peer, LocalPeer):
        return _local(peer)
    if not token:
        raise Refusal(
            Kind.UNAUTHENTICATED,
            "over HTTPS an API token is needed",
            remedy="send Authorization: Bearer <token>; make one with: finial api-token create",
        )
    known = await known_api_token(world, token)
    return Administrator(known.name, known.id, known.scopes, peer, known.expires_at)


def _local(peer: LocalPeer) -> Administrator:
    if peer.uid not in (0, os.geteuid()):
        raise Refusal(
            Kind.DENIED,
            f"uid {peer.uid} is neither root nor the server's user",
            remedy="run the command as root or as the server's user",
        )
    return Administrator(f"uid {peer.uid}", "", EVERY_SCOPE, peer)


async def is_known(world: World, scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from the local socket or shows a token that is good."""
    if isinstance(scope["state"]["peer"], LocalPeer):
        return True
    shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    _, _, token = shown.decode("latin-1").partition(" ")
    try:
        await known_api_token(world, token.strip())
    except Refusal:
        return False
    return True


def actor_of(request: Request) -> Actor:
    """Who to hold responsible for a request, also for one whose caller was refused."""
    caller = getattr(request.state, "caller", None)
    if isinstance(caller, Administrator):
        return caller.actor
    return _actor(request.state.peer, "")


def _actor(peer: Peer, token_id: str) -> Actor:
    if isinstance(peer, LocalPeer):
        return Actor(ActorKind.LOCAL, uid=peer.uid, pid=peer.pid)
    kind = ActorKind.TOKEN if token_id else ActorKind.NOBODY
    return Actor(kind, token_id, peer.address)
