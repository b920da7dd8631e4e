"""Who may call whom is changed, as events of the audit log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ca.events.subjects import SetMode, WrittenPolicy, describe_mode, describe_policy

if TYPE_CHECKING:
    from ca.events.happened import Actor


@dataclass(frozen=True, slots=True)
class _PolicyEvent:
    kind: ClassVar[str]
    who: "Actor"
    policy: WrittenPolicy

    def subjects(self) -> Iterator[Mapping[str, object]]:
        """The policy, with its text."""
        yield describe_policy(self.policy)


@dataclass(frozen=True, slots=True)
class PolicyCreated(_PolicyEvent):
    """A policy was registered."""

    kind = "policy_created"


@dataclass(frozen=True, slots=True)
class PolicyUpdated(_PolicyEvent):
    """A policy was changed; it is told as it is now."""

    kind = "policy_updated"


@dataclass(frozen=True, slots=True)
class PolicyDeleted(_PolicyEvent):
    """A policy was deleted; it is told as it was."""

    kind = "policy_deleted"


@dataclass(frozen=True, slots=True)
class CalleeModeSet:
    """A callee's mode was set; `before` is empty if it had none of its own."""

    kind: ClassVar[str] = "callee_mode_set"
    who: "Actor"
    mode: SetMode
    before: str = ""

    def subjects(self) -> Iterator[Mapping[str, object]]:
        """The callee, its mode and the one before."""
        yield {**describe_mode(self.mode), "before": self.before}


@dataclass(frozen=True, slots=True)
class CalleeModeUnset:
    """A callee lost its own mode."""

    kind: ClassVar[str] = "callee_mode_unset"
    who: "Actor"
    mode: SetMode

    def subjects(self) -> Iterator[Mapping[str, object]]:
        """The callee and the mode that it had."""
        yield describe_mode(self.mode)
