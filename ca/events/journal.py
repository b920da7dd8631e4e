"""The server's journal: every act is told here before it is acknowledged."""

from collections.abc import Sequence

from ca.events.audit import render, unaudited
from ca.events.happened import Event
from finial.runtime import journal
from finial.runtime.clock import Clock


class Journal(journal.Journal[Event]):
    """Tells the audit log and the observers what happened.

    `record` raises a Refusal of kind UNAVAILABLE when an act cannot be audited; whoever asked for
    the act is then told no.
    """

    def __init__(
        self,
        audit: journal.Audit,
        clock: Clock,
        observers: Sequence[journal.Observer[Event]] = (),
    ) -> None:
        super().__init__(audit, clock, render, unaudited, observers)
