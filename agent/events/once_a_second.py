"""Keeping what anybody may cause, as often as they like, from filling a log."""

from collections.abc import Hashable
from typing import Final

MOST: Final = 100
"""Different ones that are told in one second."""


class OnceASecond:
    """Lets each be told once in a second of the clock, and so many in all."""

    def __init__(self) -> None:
        self._second = 0.0
        self._told: set[Hashable] = set()

    def is_due(self, key: Hashable, now: float) -> bool:
        """Whether this one is to be told now; then it is taken as told."""
        if now // 1 != self._second:
            self._second = now // 1
            self._told.clear()
        if key in self._told or len(self._told) >= MOST:
            return False
        self._told.add(key)
        return True
