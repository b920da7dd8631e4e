"""Which agents enforce what they were told, and which lag behind."""

from collections.abc import Iterator
from dataclasses import dataclass

from ca.operations.following.streams import BLOCKS, POLICIES, AgentStream
from ca.operations.world import World
from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class Versions:
    """One topic at one agent: the version it was told, and the latest that it says it enforces."""

    told: int
    applied: int

    @property
    def lags(self) -> bool:
        """Whether it enforces something else than what it was told.

        One that says it enforces a later version refuses ours, which it takes for an older one.
        """
        return self.applied != self.told


@dataclass(frozen=True, slots=True)
class Enforcement:
    """One agent; a topic is None where it cannot enforce it, or is away.

    `left_at` is when its last stream ended, in Unix seconds, None while it is connected or where
    that is not known.
    """

    agent: SpiffeId
    connected: bool
    left_at: float | None
    blocks: Versions | None
    policies: Versions | None

    @property
    def lags(self) -> bool:
        """Whether it may decide by something that is out of date."""
        topics = (self.blocks, self.policies)
        return not self.connected or any(each is None or each.lags for each in topics)


def enforcement(world: World) -> Iterator[Enforcement]:
    """Say it of every agent that may still be there, by ID."""
    now = world.clock.now()
    for node in world.known.nodes:
        if node.banned or node.good_until <= now:
            continue
        streams = world.streams.of(node.id)
        yield Enforcement(
            node.id,
            bool(streams),
            world.streams.left_at(node.id),
            _versions(streams, BLOCKS),
            _versions(streams, POLICIES),
        )


def _versions(streams: tuple[AgentStream, ...], topic: str) -> Versions | None:
    able = [each for each in streams if topic in each.capabilities]
    if not able:
        return None
    return Versions(
        max(each.told.get(topic, each.applied.get(topic, 0)) for each in able),
        max(each.applied.get(topic, 0) for each in able),
    )
