"""Values kept in the order of a key, cheap to add to one at a time at any size."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

# A list moves everything behind the place where it is added to: short chunks keep that small.
_LONGEST_CHUNK: Final = 512


class Ordered(Generic[T]):
    """Values in ascending order of `key`, which tells any two of them apart."""

    __slots__ = ("_chunks", "_key", "_size", "_snapshot")

    def __init__(self, key: Callable[[T], Any]) -> None:
        self._key = key
        self._chunks: list[list[T]] = []
        self._size = 0
        self._snapshot: tuple[T, ...] | None = None

    def __len__(self) -> int:
        return self._size

    def add(self, value: T) -> None:
        """Put the value in its place; its key must not be there yet."""
        self._snapshot = None
        self._size += 1
        key = self._key(value)
        if not self._chunks or key > self._key(self._chunks[-1][-1]):
            self._append(value)
            return
        number = self._chunk_of(key)
        chunk = self._chunks[number]
        chunk.insert(bisect_left(chunk, key, key=self._key), value)
        if len(chunk) > _LONGEST_CHUNK:
            half = len(chunk) // 2
            self._chunks[number : number + 1] = [chunk[:half], chunk[half:]]

    def remove(self, value: T) -> None:
        """Take out the value with this key, which must be there."""
        self._snapshot = None
        self._size -= 1
        number = self._chunk_of(self._key(value))
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, self._key(value), key=self._key)]
        if not chunk:
            del self._chunks[number]

    def snapshot(self) -> tuple[T, ...]:
        """All values as they are now; the same object until something changes."""
        if self._snapshot is None:
            self._snapshot = tuple(chain.from_iterable(self._chunks))
        return self._snapshot

    def after(self, key: Any) -> Iterator[T]:
        """Walk the values whose keys are greater; nothing may change meanwhile."""
        if not self._chunks:
            return
        number = self._chunk_of(key)
        first = self._chunks[number]
        yield from first[bisect_right(first, key, key=self._key) :]
        for chunk in self._chunks[number + 1 :]:
            yield from chunk

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._chunks)

    def _append(self, value: T) -> None:
        if not self._chunks or len(self._chunks[-1]) == _LONGEST_CHUNK:
            self._chunks.append([])
        self._chunks[-1].append(value)

    def _chunk_of(self, key: Any) -> int:
        found = bisect_right(self._chunks, key, key=lambda chunk: self._key(chunk[0]))
        return max(found - 1, 0)
