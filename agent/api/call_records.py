"""Recording which process was given what, and which was told no."""

import contextlib

from agent.events.happened import Caller, CallRefused, WorkloadServed
from agent.events.journal import Journal
from finial.runtime.peer import KernelPeer
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call


class CallRecords:
    """Tells the journal of calls; the same from the same process is written once a second."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def served(self, call: Call[KernelPeer], spiffe_ids: tuple[SpiffeId, ...]) -> None:
        """Record before it is sent that a workload gets something.

        Raises: Refusal of kind UNAVAILABLE if it cannot be audited.
        """
        peer, method = call.peer, _name(call)
        event = WorkloadServed(Caller(peer.pid, peer.uid, peer.gid), method, spiffe_ids)
        self._journal.record_repeatable(event, (peer.pid, peer.uid, method, spiffe_ids))

    def refused(self, call: Call[KernelPeer], refusal: Refusal) -> None:
        """Record that a caller was told no; told it is, even if that cannot be written."""
        if refusal.kind is Kind.CANCELLED:
            return
        peer, method = call.peer, _name(call)
        caller = Caller(peer.pid, peer.uid, peer.gid)
        event = CallRefused(caller, method, refusal.kind.value, refusal.detail)
        with contextlib.suppress(Refusal):
            self._journal.record_repeatable(event, (peer.uid, method, refusal.kind))


def _name(call: Call[KernelPeer]) -> str:
    return call.method.rpartition("/")[2]
