"""The guard of every gRPC call: who calls, in what standing, and whether the table allows it."""

import logging
import math
from collections.abc import Awaitable
from typing import Final

from ca.api.grpc.peer import LocalPeer, Peer, RemotePeer
from ca.events.happened import Actor, ActorKind, CallRefused
from ca.operations.admit_agent import first_use, standing_of
from ca.operations.blocked import refuse_blocked_caller
from ca.operations.world import World
from ca.registry.permission import Caller, Ground, allowed, authorize
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import is_agent
from finial.wire.grpc.call import Call

ServerCall = Call[Peer]

_NOT_A_NO: Final = frozenset({Kind.CANCELLED, Kind.UNAVAILABLE, Kind.INTERNAL})
_logger = logging.getLogger("finial.ca.refusals")
_ACTORS: Final = {
    Ground.LOCAL: ActorKind.LOCAL,
    Ground.ADMIN: ActorKind.ADMIN,
    Ground.DOWNSTREAM: ActorKind.ADMIN,
    Ground.AGENT: ActorKind.AGENT,
    Ground.ANYONE: ActorKind.NOBODY,
}


class Guard:
    """Judges each call from memory; only the first use of a renewed SVID is written."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._admins = frozenset(map(SpiffeId.parse, world.settings.server.admin_ids))

    def __call__(self, call: ServerCall) -> Awaitable[None] | None:
        """Let a call pass, at once or after a write.

        Raises: Refusal of kind DENIED, UNAUTHENTICATED.
        """
        try:
            return self._judge(call)
        except Refusal as refusal:
            tell(self._world, _actor(call.peer, ActorKind.NOBODY), call.method, refusal)
            raise

    def _judge(self, call: ServerCall) -> Awaitable[None] | None:
        accepted = allowed(call.method)
        peer = call.peer
        if isinstance(peer, LocalPeer):
            call.caller = authorize(call.method, Caller(local=True))
            return None
        if Ground.ANYONE in accepted or peer.id is None:
            call.caller = authorize(call.method, Caller(id=peer.id))
            return None
        return self._judge_svid(call, accepted, peer, peer.id)

    def _judge_svid(
        self, call: ServerCall, accepted: Ground, peer: RemotePeer, caller_id: SpiffeId
    ) -> Awaitable[None] | None:
        known, now = self._world.known, self._world.clock.now()
        passed = peer.passes.get(call.method)
        if passed is not None and passed[0] == known.state and now <= peer.not_after:
            call.caller = passed[1]
            return None
        agent = self._may_be_agent(caller_id)
        if not agent:
            refuse_blocked_caller(self._world, caller_id, peer.serial)
        entries = known.entries
        admin = caller_id in self._admins or entries.has_admin(caller_id)
        downstream = entries.has_downstream(caller_id)
        caller = Caller(
            admin=admin,
            downstream=downstream,
            agent=agent and Ground.AGENT in accepted,
            id=caller_id,
        )
        call.caller = authorize(call.method, caller)
        # One that is an administrator too can be banned all the same.
        if not agent:
            _judge_expiry(peer, now)
            peer.passes[call.method] = known.state, call.caller
            return None
        standing = standing_of(self._world, caller_id, peer.serial, peer.not_after)
        if standing.changed:
            return first_use(self._world, caller_id, peer.serial, peer.not_after)
        peer.passes[call.method] = known.state, call.caller
        return None

    def _may_be_agent(self, caller_id: SpiffeId) -> bool:
        return is_agent(caller_id) and caller_id.trust_domain == self._world.trust_domain


def tell(world: World, actor: Actor, method: str, refusal: Refusal) -> None:
    """Tell the journal of a refusal; when that fails, the refusal still stands."""
    if refusal.kind is Kind.INTERNAL:
        _logger.error("%s met a bug: %s", method, refusal, exc_info=refusal)
    if refusal.kind in _NOT_A_NO:
        return
    try:
        world.record(CallRefused(actor, method, refusal))
    except Refusal as unaudited:
        _logger.warning("a refusal of %s was not audited: %s", method, unaudited)


def actor_of(call: ServerCall) -> Actor:
    """Say who makes a call that the guard let pass."""
    return _actor(call.peer, _ACTORS[call.caller])


def agent_of(call: ServerCall) -> SpiffeId:
    """Say which agent makes a call that the guard let pass for agents alone."""
    peer = call.peer
    assert isinstance(peer, RemotePeer)
    assert peer.id is not None
    return peer.id


def expiry_of(call: ServerCall) -> float:
    """Say when the SVID expires by which a call is made; a local caller has none."""
    return call.peer.not_after if isinstance(call.peer, RemotePeer) else math.inf


def serial_of(call: ServerCall) -> str:
    """Say which SVID a call is made by; a local caller has none."""
    return call.peer.serial if isinstance(call.peer, RemotePeer) else ""


def judge_again(world: World, call: ServerCall) -> None:
    """Judge the agent that makes a call which goes on, by what is known of it now.

    Raises: Refusal of kind DENIED, with the reason.
    """
    standing_of(world, agent_of(call), serial_of(call), int(expiry_of(call)))


def _actor(peer: Peer, kind: ActorKind) -> Actor:
    if isinstance(peer, LocalPeer):
        return Actor(ActorKind.LOCAL, uid=peer.uid, pid=peer.pid)
    return Actor(kind, str(peer.id or ""), peer.address)


def _judge_expiry(peer: RemotePeer, now: float) -> None:
    # A connection may outlive the SVID that it was opened with.
    if now > peer.not_after:
        raise Refusal(Kind.UNAUTHENTICATED, f'the SVID of "{peer.id}" is expired')
