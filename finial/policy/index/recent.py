"""A bounded memory of what was used last."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, each with a weight; the ones not used for longest go when it gets too much."""

    def __init__(self, most: int) -> None:
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._most = most
        self.weight = 0

    def get(self, key: K) -> V | None:
        """The value, which counts as used now."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> V:
        """Keep a value whose key is not there yet, even one that is too heavy alone; give it back.

        `weight` is in the unit of `most`.
        """
        self.weight += weight
        while self._held and self.weight > self._most:
            _, (_, gone) = self._held.popitem(last=False)
            self.weight -= gone
        self._held[key] = value, weight
        return value
