"""Which agents enforce what they were told, as documents."""

from typing import Self

from pydantic import Field

from ca.api.rest.shapes.shape import Answer
from ca.api.rest.shapes.times import Instant, instant
from ca.operations.enforcement import Enforcement, Versions


class VersionsDocument(Answer):
    """One topic at one agent."""

    told: int = Field(description="The version that it was told last.")
    applied: int = Field(description="The latest version that it says it enforces.")
    lags: bool

    @classmethod
    def of(cls, versions: Versions | None) -> Self | None:
        """Write a value as a document."""
        if versions is None:
            return None
        return cls(told=versions.told, applied=versions.applied, lags=versions.lags)


class EnforcementDocument(Answer):
    """One agent; a topic is null where it cannot enforce it, or is away."""

    agent_id: str
    connected: bool
    last_connected_at: Instant | None
    lags: bool
    blocks: VersionsDocument | None
    policies: VersionsDocument | None

    @classmethod
    def of(cls, found: Enforcement) -> Self:
        """Write a value as a document."""
        return cls(
            agent_id=str(found.agent),
            connected=found.connected,
            last_connected_at=instant(found.left_at or 0),
            lags=found.lags,
            blocks=VersionsDocument.of(found.blocks),
            policies=VersionsDocument.of(found.policies),
        )
