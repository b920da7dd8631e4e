"""An agent opens its stream: what it does not know yet is told at once, and it says what it is."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Final

from ca.operations.following.follower import blocks_change, bundle_change
from ca.operations.following.streams import (
    BLOCKS,
    BUNDLE,
    ENTRIES,
    FURTHEST_AHEAD,
    POLICIES,
    AgentStream,
    Changed,
)
from ca.operations.publish_policies import tell_policies
from ca.operations.world import World
from ca.registry.selectors.fleet import read_report

ATTESTORS: Final = "attestors"
"""The kind of report that names an agent's attestors."""

EXPLAIN: Final = "explain"
"""The capability, and the kind of question, of an agent that explains its decisions."""

_MAX_CAPABILITIES: Final = 64
_MAX_CAPABILITY: Final = 64


def greet(
    world: World,
    stream: AgentStream,
    versions: Mapping[str, int],
    capabilities: Collection[str] = (),
) -> None:
    """Tell a new stream what changed since the versions that its agent says it has.

    Nobody knows which entries changed while an agent was away, so it is told to sync them.
    """
    known = world.known
    world.streams.fleet.doubt(stream.agent)
    for topic, version in versions.items():
        stream.note_applied(topic, version)
    stream.capabilities = frozenset(
        name for name in islice(capabilities, _MAX_CAPABILITIES) if len(name) <= _MAX_CAPABILITY
    )
    stream.tell(Changed(ENTRIES, known.sequence))
    if versions.get(BUNDLE) != known.bundle.value.sequence:
        stream.tell(bundle_change(known))
    if BLOCKS in stream.capabilities:
        _greet_blocks(world, stream, versions.get(BLOCKS, 0))
    if POLICIES in stream.capabilities:
        tell_policies(world, stream)


def _greet_blocks(world: World, stream: AgentStream, held: int) -> None:
    """Tell what is blocked; whoever knows a later version than ours is told a later one yet.

    We are behind another server then, or our clock or our database went back. How far an agent can
    lead us has an end, so that there is always a number above it.
    """
    known = world.known
    told = known.blocks_told.value.document.version
    if held != told:
        stream.tell(blocks_change(known))
    if told < held < world.clock.now() * 1000 + FURTHEST_AHEAD:
        known.blocks_floor = max(known.blocks_floor, held)
        known.blocks_wanted.set()


def part(world: World, stream: AgentStream) -> None:
    """Forget a stream that has ended, and its agent too if that is gone for good."""
    world.streams.close(stream, world.clock.now())
    if not world.streams.of(stream.agent):
        world.streams.fleet.doubt(stream.agent)
    if world.known.nodes.get(stream.agent) is None:
        world.streams.forget(stream.agent)


def note_attestors(world: World, stream: AgentStream, payload: bytes) -> None:
    """Remember which attestors an agent says it runs, as long as it is known.

    Raises: Refusal of kind INVALID.
    """
    report = read_report(payload)
    if world.known.nodes.get(stream.agent) is not None:
        world.streams.fleet.note(stream.agent, report)
