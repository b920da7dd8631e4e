"""The server's journal: every act is told here before it is acknowledged."""

from collections.abc import Callable, Hashable, Sequence

from ca.events.audit import render, unaudited
from ca.events.happened import ActorKind, CallRefused, Event
from finial.runtime import journal
from finial.runtime.clock import Clock


class Journal(journal.Journal[Event]):
    """Tells the audit log and the observers what happened.

    `record` raises a Refusal of kind UNAVAILABLE when an act cannot be audited; whoever asked for
    the act is then told no. A refused call is recorded by itself; the same one from the same
    caller is one line a second, because anybody may cause it as often as they like.
    """

    def __init__(
        self,
        audit: journal.Audit,
        clock: Clock,
        observers: Sequence[Callable[[Event], None]] = (),
    ) -> None:
        super().__init__(audit, clock, render, unaudited, observers)

    def record(self, *events: Event) -> None:
        """Record what happened in one act, before it is acknowledged.

        Raises: Refusal of kind UNAVAILABLE.
        """
        match events:
            case (CallRefused() as refused,):
                self.record_repeatable(refused, _sameness(refused))
            case _:
                super().record(*events)


def _sameness(refused: CallRefused) -> Hashable:
    who = refused.who
    host = who.address.rpartition(":")[0]
    # Who is nobody makes up methods as they like, and comes from another port each time.
    method = "" if who.kind is ActorKind.NOBODY else refused.method
    return (who.kind, who.id, who.uid, host, method, refused.refusal.kind)
