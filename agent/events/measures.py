"""Counting what happened."""

from agent.events.happened import (
    CallRefused,
    EntriesSynced,
    Event,
    NodeAttested,
    NodeRenewed,
    SigningFailed,
    StandingLost,
    SvidReceived,
    TokenReceived,
    WorkloadServed,
)
from finial.runtime.metrics import Metrics


class Measures:
    """The agent's counters; they observe the journal."""

    def __init__(self, metrics: Metrics) -> None:
        self._attested = metrics.counter("attestations", "Times the node was attested.")
        self._renewed = metrics.counter("renewals", "Times the agent's own SVID was renewed.")
        self._lost = metrics.counter("standing_lost", "Times the server denied this agent.")
        self._synced = metrics.counter("syncs", "Comparisons of entries with the server.")
        self._svids = metrics.counter("x509_svids", "X.509-SVIDs received for workloads.")
        self._tokens = metrics.counter("jwt_svids", "JWT-SVIDs received for workloads.")
        self._failed = metrics.counter("signing_failures", "SVIDs the server did not give.")
        self._served = metrics.counter("served", "Answers sent to workloads.", ("method",))
        self._refused = metrics.counter("refused", "Calls refused.", ("method", "kind"))
        self._rpc_seconds = metrics.seconds("rpc", "Time that calls took.", ("method", "code"))

    def observe(self, event: Event) -> None:
        """Count one event."""
        match event:
            case NodeAttested():
                self._attested.inc()
            case NodeRenewed():
                self._renewed.inc()
            case StandingLost():
                self._lost.inc()
            case EntriesSynced():
                self._synced.inc()
            case SvidReceived():
                self._svids.inc()
            case TokenReceived():
                self._tokens.inc()
            case SigningFailed():
                self._failed.inc()
            case WorkloadServed():
                self._served.labels(event.method).inc()
            case CallRefused():
                self._refused.labels(event.method, event.refusal).inc()

    def called(self, method: str, code: int, seconds: float) -> None:
        """Note a finished call; `method` is one that we serve, so that labels stay few."""
        self._rpc_seconds.labels(method, str(code)).observe(seconds)
