"""Blocks begin and end, as events of the audit log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ca.events.subjects import LockedOut, describe_block

if TYPE_CHECKING:
    from ca.events.happened import Actor


@dataclass(frozen=True, slots=True)
class _BlockEvent:
    kind: ClassVar[str]
    who: "Actor"
    block: LockedOut

    def subjects(self) -> Iterator[Mapping[str, object]]:
        """What is blocked, since when and why."""
        yield describe_block(self.block)


@dataclass(frozen=True, slots=True)
class Blocked(_BlockEvent):
    """Somebody or something was blocked, and is locked out from now on."""

    kind = "blocked"


@dataclass(frozen=True, slots=True)
class Unblocked(_BlockEvent):
    """A block was lifted."""

    kind = "unblocked"


@dataclass(frozen=True, slots=True)
class BlockEnded(_BlockEvent):
    """A block's time was over, or one that lasts longer took its place."""

    kind = "block_ended"
