"""How much may be asked for in a second (spire-features 6.4)."""

from typing import Final

from finial.spiffe.refusal import Kind, Refusal

LONGEST_WAIT: Final = 60.0
_IDLE_SECONDS: Final = 60.0


class Bucket:
    """A token bucket; `now` is in seconds of a clock that never goes back."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    @property
    def used_at(self) -> float:
        """When something was last taken."""
        return self._at

    def take(self, count: int, now: float, longest_wait: float = LONGEST_WAIT) -> float:
        """Take that many tokens and return how long to wait, in seconds, before going on.

        Raises: Refusal of kind EXHAUSTED, and takes nothing, when it asks for more than the
        bucket ever holds or would have to wait longer than that.
        """
        tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        wait = max(0.0, (count - tokens) / self._rate)
        if count > self._burst:
            raise _exhausted(f"{count} at once is more than {self._burst:g}", "ask for fewer")
        if wait > longest_wait:
            raise _exhausted(f"more than {self._rate:g} a second were asked for", "ask later")
        self._at = now
        self._tokens = tokens - count
        return wait


class RateLimit:
    """One bucket for each caller, such as an address; a rate of 0 means no limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}
        self._swept_at = 0.0

    def take(
        self, caller: str, count: int, now: float, longest_wait: float = LONGEST_WAIT
    ) -> float:
        """Take that many of the caller's tokens and return how long to wait, in seconds.

        Raises: Refusal of kind EXHAUSTED.
        """
        if not self._rate:
            return 0.0
        self._sweep(now)
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = Bucket(self._rate, max(self._rate, 1), now)
        return bucket.take(count, now, longest_wait)

    def __len__(self) -> int:
        return len(self._buckets)

    def _sweep(self, now: float) -> None:
        """Forget callers that were away for one to two minutes, so that there are never many."""
        if now - self._swept_at < _IDLE_SECONDS:
            return
        self._swept_at = now
        self._buckets = {
            caller: bucket
            for caller, bucket in self._buckets.items()
            if now - bucket.used_at < _IDLE_SECONDS
        }


def _exhausted(detail: str, remedy: str) -> Refusal:
    return Refusal(
        Kind.EXHAUSTED, f"rejecting request due to rate limiting: {detail}", remedy=remedy
    )
