"""A bounded memory in which whoever fills it pushes out their own."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FairMemory(Generic[Owner, K, V]):
    """Values by key, each of an owner, at most so many.

    When there are too many, the oldest goes of the owner who has the most. Every act takes the same
    time, however many there are: they are made by whoever is refused, as often as they like.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, tuple[Owner, V]] = OrderedDict()
        self._keys: dict[Owner, OrderedDict[K, None]] = {}
        self._owners: dict[int, dict[Owner, None]] = {}
        self._greatest = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[V]:
        """All values, the newest first."""
        return (value for _, value in reversed(self._held.values()))

    def renew(self, key: K) -> V | None:
        """The value of a key, which is the newest now."""
        found = self._held.get(key)
        if found is None:
            return None
        owner, value = found
        self._held.move_to_end(key)
        self._keys[owner].move_to_end(key)
        return value

    def add(self, owner: Owner, key: K, value: V) -> None:
        """Keep a value whose key is not there yet."""
        if len(self._held) >= self._most:
            self._forget_one()
        self._held[key] = owner, value
        keys = self._keys.setdefault(owner, OrderedDict())
        keys[key] = None
        self._recount(owner, len(keys) - 1, len(keys))

    def _forget_one(self) -> None:
        owner = next(iter(self._owners[self._greatest]))
        keys = self._keys[owner]
        key, _ = keys.popitem(last=False)
        del self._held[key]
        self._recount(owner, len(keys) + 1, len(keys))
        if not keys:
            del self._keys[owner]

    def _recount(self, owner: Owner, before: int, now: int) -> None:
        if before:
            others = self._owners[before]
            del others[owner]
            if not others:
                del self._owners[before]
        if now:
            self._owners.setdefault(now, {})[owner] = None
        if now > self._greatest or self._greatest not in self._owners:
            self._greatest = now
