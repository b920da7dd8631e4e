"""Counting what happened."""

from prometheus_client import Counter, Histogram

from agent.events.happened import (
    AgentLockedOut,
    BlocksEnforced,
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
from finial.runtime.reporting.metrics import Metrics


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
        self._blocks = metrics.counter("blocks_changes", "Changes of what is blocked.")
        self._blocked = metrics.counter("blocked", "Calls refused by a block.", ("method",))
        self._lockouts = metrics.counter("lockouts", "Times the agent itself was blocked.")
        rejected = "Secrets that an Envoy did not take."
        self._rejected = metrics.counter("secrets_rejected", rejected, ("method",))
        decisions = "Requests decided for proxies."
        self._decisions = metrics.counter("decisions", decisions, ("outcome", "reason", "means"))
        # Finding a labelled child costs more than counting.
        self._decided: dict[tuple[str, str, str], Counter] = {}
        self._served_by: dict[str, Counter] = {}
        self._seconds_of: dict[tuple[str, int], Histogram] = {}
        self._rpc_seconds = metrics.seconds("rpc", "Time that calls took.", ("method", "code"))

    def observe(self, event: Event) -> None:
        """Count one event."""
        self._observe_block(event)
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
                self._serving(event.method).inc()
            case CallRefused():
                self._refused.labels(event.method, event.refusal).inc()

    def _observe_block(self, event: Event) -> None:
        match event:
            case CallRefused() if event.block:
                self._blocked.labels(event.method).inc()
            case BlocksEnforced():
                self._blocks.inc()
            case AgentLockedOut():
                self._lockouts.inc()

    def _serving(self, method: str) -> Counter:
        counter = self._served_by.get(method)
        if counter is None:
            counter = self._served_by[method] = self._served.labels(method)
        return counter

    def secret_rejected(self, method: str) -> None:
        """Note that an Envoy did not take what it was sent, however often it says so."""
        self._rejected.labels(method).inc()

    def decided(self, outcome: str, reason: str, means: str) -> None:
        """Note a decision about a request; all labels are of closed lists."""
        counter = self._decided.get((outcome, reason, means))
        if counter is None:
            counter = self._decisions.labels(str(outcome), str(reason), str(means))
            self._decided[outcome, reason, means] = counter
        counter.inc()

    def called(self, method: str, code: int, seconds: float) -> None:
        """Note a finished call; `method` is one that we serve, so that labels stay few."""
        histogram = self._seconds_of.get((method, code))
        if histogram is None:
            histogram = self._rpc_seconds.labels(method, str(int(code)))
            self._seconds_of[method, code] = histogram
        histogram.observe(seconds)
