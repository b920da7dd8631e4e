"""A topic of which the server pushes whole documents: each newer one takes the former's place."""

from typing import Protocol

from agent.upstream.following import Changed


class Topic(Protocol):
    """What the stream of changes hands a topic's documents to."""

    @property
    def name(self) -> str:
        """The topic, which is also the capability that the server is told of."""
        ...

    @property
    def version(self) -> int:
        """The version in force, 0 where there is none."""
        ...

    def told(self, changed: Changed) -> None:
        """Take note of a document; nothing here waits, or raises anything."""
        ...
