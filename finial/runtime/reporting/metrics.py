"""Counters and durations in a registry of our own, and their text for Prometheus."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What is counted in one program; every name begins with `finial_`.

    Labels come from a closed set of values: a caller can never make a new time series.
    """

    def __init__(self, program: str) -> None:
        self._registry = CollectorRegistry()
        self._prefix = f"finial_{program}"
        ProcessCollector(registry=self._registry)

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter `finial_<program>_<name>_total`."""
        return Counter(name, documentation, labels, namespace=self._prefix, registry=self._registry)

    def gauge(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge `finial_<program>_<name>`."""
        return Gauge(name, documentation, labels, namespace=self._prefix, registry=self._registry)

    def reading(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Have a gauge read when somebody asks for the metrics."""
        self.gauge(name, documentation).set_function(read)

    def seconds(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        buckets: Iterable[float] = SECONDS,
    ) -> Histogram:
        """Make a histogram `finial_<program>_<name>_seconds`."""
        return Histogram(
            name,
            documentation,
            labels,
            namespace=self._prefix,
            unit="seconds",
            registry=self._registry,
            buckets=tuple(buckets),
        )

    def exposition(self) -> bytes:
        """Return everything as text, of type `CONTENT_TYPE`."""
        return generate_latest(self._registry)
