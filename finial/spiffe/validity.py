"""From when until when something is valid, and when it is due to be replaced."""

from dataclasses import dataclass
from typing import Final, Self

from finial.spiffe.refusal import Kind, Refusal

BACKDATE: Final = 10
"""Seconds by which what is issued begins in the past, for clocks that differ."""

JITTER_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Validity:
    """A span of whole Unix seconds; both ends belong to it (RFC 5280 section 4.1.2.5)."""

    not_before: int
    not_after: int

    @classmethod
    def starting(
        cls, now: float, lifetime: int, *, cap: int, backdate: int = BACKDATE, least: int = 1
    ) -> Self:
        """Span `lifetime` seconds from `now`, ended by `cap` where that comes first.

        `cap` is the issuer's own end in Unix seconds; `least` is how many seconds have to be left
        for the span to be of use to anybody.

        Raises: Refusal of kind UNAVAILABLE when the cap leaves less than `least` seconds, INVALID
            when the lifetime is not positive.
        Spec: SPIFFE-ID section 4.1.1 (ID-29), JWT-SVID section 7.1 (JWT-16).
        """
        if lifetime <= 0:
            raise Refusal(
                Kind.INVALID, "a lifetime is a positive number of seconds", value=str(lifetime)
            )
        start = int(now)
        end = min(start + lifetime, cap)
        if end - now < least:
            raise Refusal(
                Kind.UNAVAILABLE,
                "the issuer expires too soon to issue anything",
                remedy="wait until the authority has been rotated",
            )
        return cls(start - backdate, end)

    def contains(self, now: float, leeway: float = 0) -> bool:
        """Whether `now` lies within, give or take `leeway` seconds."""
        return self.not_before - leeway <= now <= self.not_after + leeway

    def renew_at(self, jitter: float) -> float:
        """When this is due to be replaced; see the function of that name."""
        return renew_at(self.not_before, self.not_after, jitter)


def renew_at(not_before: int, not_after: int, jitter: float) -> float:
    """Half of the lifetime, moved by up to a tenth of that half.

    `jitter` runs from -1 (a tenth earlier) to 1 (a tenth later), so that a fleet that was started
    at once does not renew at once. The instant is computed once, on receipt, and kept.
    """
    half = max(not_after - not_before, 0) / 2
    bounded = min(max(jitter, -1.0), 1.0)
    return not_before + half * (1 + JITTER_SHARE * bounded)
