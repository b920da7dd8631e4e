"""Which entries somebody has an open stream for, and when the others were last used."""

from collections import Counter
from collections.abc import Iterable

from agent.cache.x509_svids import Demand
from finial.runtime.watch import Watch


class Subscriptions:
    """Counts the open streams of each entry; `wanted` is set when one of them waits for an SVID."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()
        self._last_used: dict[str, float] = {}
        self.wanted: Watch[None] = Watch(None)

    def add(self, entry_ids: Iterable[str], now: float) -> None:
        """A stream is open for these entries from now on."""
        for entry_id in entry_ids:
            self._open[entry_id] += 1
            self._last_used[entry_id] = now

    def want(self) -> None:
        """Say that a stream waits for an SVID that is not there."""
        self.wanted.set(None)

    def remove(self, entry_ids: Iterable[str]) -> None:
        """A stream that was added has ended."""
        for entry_id in entry_ids:
            self._open[entry_id] -= 1
            if not self._open[entry_id]:
                del self._open[entry_id]

    def keep_only(self, entry_ids: Iterable[str]) -> None:
        """Forget when entries that are no longer ours were used."""
        known = set(entry_ids)
        for entry_id in self._last_used.keys() - known:
            del self._last_used[entry_id]

    def demand(self) -> Demand:
        """What is needed now."""
        return Demand(frozenset(self._open), dict(self._last_used), self._limit)
