"""The server's journal: every act is told here before it is acknowledged."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from ca.events.audit import render, unaudited
from ca.events.happened import ActorKind, CallRefused, Event
from ca.events.recent import Exhaustion
from finial.explain.hiding import BY_NAME_ALONE, Hiding
from finial.runtime.clock import Clock
from finial.runtime.reporting import journal
from finial.wire.network import network_of


class Journal(journal.Journal[Event]):
    """Tells the audit log and the observers what happened.

    `record` raises a Refusal of kind UNAVAILABLE when an act cannot be audited; whoever asked for
    the act is then told no. A refused call is recorded by itself; the same one from the same
    caller is one line a second, because anybody may cause it as often as they like. `exhaustion`
    remembers who asked too often. `hiding` says which selectors' values are kept out of the log.
    """

    def __init__(
        self,
        audit: journal.Audit,
        clock: Clock,
        observers: Sequence[Callable[[Event], None]] = (),
        hiding: Hiding = BY_NAME_ALONE,
    ) -> None:
        self.exhaustion = Exhaustion(clock)
        observers = (*observers, self.exhaustion.observe)
        super().__init__(audit, clock, partial(render, hiding=hiding), unaudited, observers)

    def record(self, *events: Event) -> None:
        """Record what happened in one act, before it is acknowledged.

        Raises: Refusal of kind UNAVAILABLE.
        """
        match events:
            case (CallRefused() as refused,):
                nobody = refused.who.kind is ActorKind.NOBODY
                crowd = (CallRefused, refused.who.kind) if nobody else None
                self.record_repeatable(refused, _sameness(refused), crowd)
            case _:
                super().record(*events)


def _host(address: str) -> str:
    """Leave out the port, where there is one: `host`, `host:port` or `[host]:port`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _sameness(refused: CallRefused) -> Hashable:
    who = refused.who
    host = network_of(_host(who.address))
    # Who is nobody makes up methods as they like, and comes from another port each time.
    method = "" if who.kind is ActorKind.NOBODY else refused.method
    return (who.kind, who.id, who.uid, host, method, refused.refusal.kind)
