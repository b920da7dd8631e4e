"""Counting what happened, and how long calls took."""

from prometheus_client import Histogram

from ca.events.happened import CallRefused, Event, Minted, SvidsIssued
from finial.runtime.metrics import Metrics


class Measures:
    """The server's figures; observes the journal.

    Labels are kinds of events, methods the server has, and status codes: never a caller's words.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._events = metrics.counter(
            "events", "What happened, by kind and outcome.", ("kind", "outcome")
        )
        self._refused = metrics.counter(
            "refusals",
            "Calls that were refused, by method and kind of refusal.",
            ("method", "kind"),
        )
        self._issued = metrics.counter("svids_issued", "SVIDs that were issued.", ("svid",))
        self._seconds = metrics.seconds(
            "call", "Time from the request to the status.", ("method", "code")
        )
        self._clocks: dict[tuple[str, str], Histogram] = {}

    def observe(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, CallRefused):
            self._events.labels(event.kind, "refused").inc()
            self._refused.labels(event.method, event.refusal.kind.value).inc()
            return
        self._events.labels(event.kind, "done").inc()
        if isinstance(event, SvidsIssued):
            for svid in event.batch:
                self._issued.labels(svid.kind.value).inc()
        elif isinstance(event, Minted):
            self._issued.labels(event.svid.kind.value).inc()

    def called(self, method: str, code: str, seconds: float) -> None:
        """Note how long a call took; `method` is one that the server has, `code` its status."""
        key = (method, code)
        clock = self._clocks.get(key)
        if clock is None:
            clock = self._clocks[key] = self._seconds.labels(method, code)
        clock.observe(seconds)
