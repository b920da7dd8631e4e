"""How long to wait before the next attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first` seconds up to `longest`; `jitter` is the part that is left to chance.

    Of 1,000 agents that lost one server at the same moment, no two should come back together.
    """

    first: float = 1.0
    longest: float = 60.0
    jitter: float = 0.5

    def delay(self, attempt: int, chance: float) -> float:
        """Return seconds to wait after the failure numbered `attempt` (0 for the first).

        `chance` is 0.0 to 1.0, freshly drawn. The result lies between `(1 - jitter)` and the whole
        of `min(longest, first * 2 ** attempt)`.
        """
        # The exponent is bounded before it is used: 2.0 ** 1024 overflows.
        whole = min(self.longest, self.first * 2.0 ** min(max(attempt, 0), 64))
        return whole * (1.0 - self.jitter * chance)
