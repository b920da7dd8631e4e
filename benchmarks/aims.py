"""What each figure is meant to be at most, or at least."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound of one figure; `least` says that more is better."""

    bound: float
    least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'at least' if self.least else 'at most'} {self.bound:,g}"


AIMS: dict[tuple[str, str], Aim] = {
    ("agent memory", "idle MiB"): Aim(45),
    ("agent memory", "1,000 streams MiB"): Aim(66),
    ("agent memory", "KiB a stream"): Aim(22),
    ("X.509-SVIDs, 50 a call", "signs"): Aim(10),
    ("X.509-SVIDs, one a call", "signs"): Aim(18),
    ("JWT-SVIDs", "signs"): Aim(12),
    ("connect to first SVID", "signs"): Aim(18),
    ("connect to first SVID", "p50 ms"): Aim(0.75),
    ("FetchJWTSVID from the cache", "signs"): Aim(5),
    ("FetchJWTSVID from the cache", "per second"): Aim(5000, least=True),
    ("entry to SVID, and gone", "created p50 ms"): Aim(30),
    ("entry to SVID, and gone", "created p99 ms"): Aim(100),
    ("entry to SVID, and gone", "gone p50 ms"): Aim(30),
    ("entry to SVID, and gone", "gone p99 ms"): Aim(100),
    ("one node joins", "signs"): Aim(70),
    ("1,000 idle agents", "% of a core"): Aim(3),
    ("1,000 idle agents", "server MiB"): Aim(180),
    ("block at 1,000 agents", "p99 ms"): Aim(1000),
    ("decide for a proxy", "100 rules, finial / OPA: 1,000/s: p50 ms"): Aim(0.6),
    ("decide for a proxy", "100 rules, finial / OPA: 1,000/s: us"): Aim(0.6),
    ("decide for a proxy", "100 rules, finial / OPA: full load: us"): Aim(0.6),
    ("decide for a proxy", "10,000 rules, finial / OPA: 1,000/s: p50 ms"): Aim(0.6),
    ("decide for a proxy", "10,000 rules, finial / OPA: 1,000/s: us"): Aim(0.6),
    ("decide for a proxy", "10,000 rules, finial / OPA: full load: us"): Aim(0.6),
    ("registering 33,000 entries", "per second"): Aim(1500, least=True),
    ("registering up to 100,000", "last tenth/s"): Aim(1500, least=True),
    ("restart with every entry", "serving after s"): Aim(3),
    ("restart with every entry", "server MiB"): Aim(250),
}
