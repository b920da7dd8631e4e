"""Counting what happened, and how long calls took."""

from collections import Counter
from typing import Final

from prometheus_client import Counter as Total
from prometheus_client import Histogram

from ca.events.happened import CallRefused, Event, Minted, SvidsIssued
from finial.runtime.reporting.metrics import Metrics

MAX_CALLS: Final = 1000


class Measures:
    """The server's figures; observes the journal.

    Labels are kinds of events and refusals, methods and status codes. A method that somebody made
    up may come along with them, so no more than `MAX_CALLS` pairs of both are told apart.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._events = metrics.counter(
            "events", "What happened, by kind and outcome.", ("kind", "outcome")
        )
        self._refused = metrics.counter(
            "refusals", "Calls that were refused, by the kind of refusal.", ("kind",)
        )
        self._issued = metrics.counter("svids_issued", "SVIDs that were issued.", ("svid",))
        self._seconds = metrics.seconds(
            "call", "Time from the request to the status.", ("method", "code")
        )
        # To find a labelled child costs more than to count.
        self._clocks: dict[tuple[str, str], Histogram] = {}
        self._children: dict[tuple[str, ...], Total] = {}

    def observe(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, CallRefused):
            self._events.labels(event.kind, "refused").inc()
            self._refused.labels(event.refusal.kind.value).inc()
            return
        self._child(self._events, event.kind, "done").inc()
        if isinstance(event, SvidsIssued):
            for kind, count in Counter(svid.kind.value for svid in event.batch).items():
                self._child(self._issued, kind).inc(count)
        elif isinstance(event, Minted):
            self._child(self._issued, event.svid.kind.value).inc()

    def _child(self, total: Total, *labels: str) -> Total:
        """The counter of those labels, which are few."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = total.labels(*labels)
        return child

    def called(self, method: str, code: str, seconds: float) -> None:
        """Note how long a call took; `method` is one that the server has, `code` its status."""
        key = (method, code)
        clock = self._clocks.get(key)
        if clock is None:
            known = len(self._clocks) < MAX_CALLS
            clock = self._seconds.labels(*(key if known else ("other", "other")))
            if known:
                self._clocks[key] = clock
        clock.observe(seconds)
