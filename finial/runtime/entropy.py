"""The only source of randomness."""

import random
import secrets
import uuid
from typing import Protocol

_system = random.SystemRandom()


class Entropy(Protocol):
    """What the programs ask for randomness; tests give a source that repeats itself."""

    def bytes(self, count: int) -> bytes:
        """Return that many unpredictable bytes."""
        ...

    def serial_number(self) -> int:
        """Draw a certificate's serial number, 1 to 2**128 - 1 (SPIRE BX-07)."""
        ...

    def uuid(self) -> str:
        """Draw a version 4 UUID."""
        ...

    def between(self, low: float, high: float) -> float:
        """Draw a number from that range, for jitter."""
        ...


class SystemEntropy:
    """The randomness of this machine."""

    def bytes(self, count: int) -> bytes:
        """Return that many unpredictable bytes."""
        return secrets.token_bytes(count)

    def serial_number(self) -> int:
        """Draw a certificate's serial number, 1 to 2**128 - 1 (SPIRE BX-07)."""
        return secrets.randbelow(2**128 - 1) + 1

    def uuid(self) -> str:
        """Draw a version 4 UUID."""
        return str(uuid.uuid4())

    def between(self, low: float, high: float) -> float:
        """Draw a number from that range, for jitter."""
        return _system.uniform(low, high)
