"""Each agent is told the rules of the callees that it serves, their modes and whose attributes.

A callee is whoever an agent is entitled to. An agent's document has a version of its own: the
instant at which it was made, in milliseconds, and always higher than what the agent holds. It is
told again only when something in it has changed.
"""

import hashlib
import logging
from typing import Final

import msgspec

from ca.operations.authorized_entries import served_entries
from ca.operations.following.streams import FURTHEST_AHEAD, POLICIES, AgentStream, Changed
from ca.operations.world import World
from ca.registry.policy.policy_index import Identities
from finial.policy.document import PolicyDocument
from finial.spiffe.identity import SpiffeId

MAX_INLINE: Final = 3_500_000
"""Bytes of a document that fits into one message with what goes around it."""

AT_ONCE: Final = 16
"""So many agents are served before others get their turn."""

_logger = logging.getLogger("finial.ca.policies")


async def publish_policies(world: World) -> None:
    """Tell every agent that can decide what has changed for it."""
    world.known.policies_wanted.clear()
    for number, stream in enumerate(tuple(world.streams), 1):
        if POLICIES in stream.capabilities:
            tell_policies(world, stream)
        if number % AT_ONCE == 0:
            await world.clock.sleep(0)


def tell_policies(world: World, stream: AgentStream) -> None:
    """Tell one agent its rules, unless it was told the same before."""
    document = policies_of(world, stream.agent)
    digest = hashlib.sha256(document.encoded()).digest()
    if stream.digests.get(POLICIES) == digest:
        return
    stream.digests[POLICIES] = digest
    version = _version(world, stream)
    content = msgspec.structs.replace(document, version=version).encoded()
    if len(content) > MAX_INLINE:
        _logger.error(
            "the rules of agent %s have %d bytes, more than %d: it keeps its former ones",
            stream.agent,
            len(content),
            MAX_INLINE,
        )
        # It has not been told, and shows as one that lags.
        stream.told[POLICIES] = version
        return
    stream.tell(Changed(POLICIES, version, document=content))


def policies_of(world: World, agent: SpiffeId) -> PolicyDocument:
    """Say what one agent needs to decide about its callees, without a version."""
    known = world.known
    callees = {entry.spiffe_id for entry in served_entries(world, agent)}
    return known.policies.document(callees, identities_asked_for(world))


def identities_asked_for(world: World) -> Identities:
    """Everybody who has one of the attributes that some rule asks for, with its values."""
    known = world.known
    return known.attributes.of(known.entries, known.policies.attributes)


def _version(world: World, stream: AgentStream) -> int:
    now = int(world.clock.now() * 1000)
    held = min(stream.applied.get(POLICIES, 0), now + FURTHEST_AHEAD)
    return max(now, held + 1, stream.told.get(POLICIES, 0) + 1)
