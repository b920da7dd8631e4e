"""The agent's journal: every act is told here before it takes effect."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agent.events.happened import (
    AccessDecided,
    AgentLockedOut,
    BlocksEnforced,
    CallRefused,
    EntriesSynced,
    Event,
    SecretRejected,
    SigningFailed,
    StandingLost,
    members,
)
from finial.runtime.clock import Clock
from finial.runtime.reporting import journal
from finial.spiffe.refusal import Kind, Refusal

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Journal(journal.Journal[Event]):
    """Tells the audit log first and the observers after it what happened.

    `record` raises a Refusal of kind UNAVAILABLE when an act cannot be audited; then it must not
    happen.
    """

    def __init__(
        self,
        audit: journal.Audit,
        clock: Clock,
        observers: Sequence[Callable[[Event], None]] = (),
    ) -> None:
        super().__init__(audit, clock, render, _unaudited, observers)


def render(event: Event) -> Iterator[journal.Record]:
    """Return the audit log's record of an event, if it deserves one."""
    if _is_news(event):
        yield {"kind": name(event), **members(event), "outcome": _outcome(event)}


def _is_news(event: Event) -> bool:
    """Whether it is an act; what found nothing new would fill the log with silence."""
    match event:
        case EntriesSynced():
            return event.changed
        case BlocksEnforced():
            return bool(event.began or event.ended)
        case _:
            return True


def name(event: Event) -> str:
    """The event's name in the log, such as `node_attested`."""
    return _WORD.sub("_", type(event).__name__).lower()


def _outcome(event: Event) -> str:
    match event:
        case CallRefused():
            return "refused"
        case AccessDecided():
            return "refused" if event.decision == "denied" else "done"
        case SigningFailed() | StandingLost() | SecretRejected() | AgentLockedOut():
            return "failed"
        case _:
            return "done"


def _unaudited(error: OSError) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, "this cannot be audited, so it is not done", remedy=str(error))
