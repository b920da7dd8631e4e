"""An agent opens its stream: what it does not know yet is told at once."""

from collections.abc import Mapping

from ca.operations.following.follower import bundle_change
from ca.operations.following.streams import BUNDLE, ENTRIES, AgentStream, Changed
from ca.operations.world import World


def greet(world: World, stream: AgentStream, versions: Mapping[str, int]) -> None:
    """Tell a new stream what changed since the versions that its agent says it has.

    Nobody knows which entries changed while an agent was away, so it is told to sync them.
    """
    known = world.known
    stream.tell(Changed(ENTRIES, known.sequence))
    if versions.get(BUNDLE) != known.bundle.value.sequence:
        stream.tell(bundle_change(known))
