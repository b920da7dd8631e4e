"""Recording that an Envoy does not take what it was sent."""

import contextlib
import logging

from agent.api.sds.subscription import Rejection
from agent.events.happened import Caller, SecretRejected
from agent.events.journal import Journal
from agent.events.measures import Measures
from agent.events.once_a_second import OnceASecond
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Refusal
from finial.wire.grpc.call import Call

log = logging.getLogger("finial.agent.sds")


class Rejections:
    """Counts them all; the log and the journal have one a second of each user and process."""

    def __init__(self, journal: Journal, measures: Measures, clock: Clock) -> None:
        self._journal = journal
        self._measures = measures
        self._clock = clock
        self._due = OnceASecond()

    def record(self, call: Call[KernelPeer], rejection: Rejection) -> None:
        """Record one; nobody is told no because of it, even if that cannot be written."""
        peer, method = call.peer, call.method.rpartition("/")[2]
        self._measures.secret_rejected(method)
        event = SecretRejected(
            Caller(peer.pid, peer.uid, peer.gid),
            method,
            rejection.names,
            rejection.version,
            rejection.complaint,
        )
        with contextlib.suppress(Refusal):
            who = (peer.pid, peer.uid, method, SecretRejected)
            self._journal.record_repeatable(event, who, crowd=SecretRejected)
        self._log(peer, rejection)

    def _log(self, peer: KernelPeer, rejection: Rejection) -> None:
        if not self._due.is_due(peer.uid, self._clock.now()):
            return
        log.warning(
            "process %d of uid %d does not take %s (version %s): %s",
            peer.pid,
            peer.uid,
            ", ".join(rejection.names) or "what was removed",
            rejection.version,
            rejection.complaint,
        )
