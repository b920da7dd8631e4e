"""Randomness that repeats itself in every run."""

import hashlib
import uuid
from dataclasses import dataclass


@dataclass(slots=True)
class RepeatingEntropy:
    """An `Entropy` of hashes of a counter: every draw differs, every run draws the same.

    `position` says where in a range `between` falls: 0.0 its low end, 1.0 its high end.
    """

    seed: str = ""
    position: float = 0.5
    drawn: int = 0

    def bytes(self, count: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_128(f"{self.seed}:{self.drawn}".encode()).digest(count)

    def serial_number(self) -> int:
        return int.from_bytes(self.bytes(16), "big") or 1

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self.bytes(16), version=4))

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.position
