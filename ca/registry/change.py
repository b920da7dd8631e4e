"""One step of what changed, in commit order."""

import enum
from dataclasses import dataclass


class Topic(enum.StrEnum):
    """What a change is about; more topics come with more features."""

    ENTRIES = "entries"
    NODES = "nodes"
    BUNDLE = "bundle"
    AUTHORITIES = "authorities"
    FEDERATION = "federation"
    BLOCKS = "blocks"
    POLICIES = "policies"


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the table `changes`: its place in commit order, its topic, and whom it touched."""

    sequence: int
    topic: Topic
    ids: tuple[str, ...]
