"""A current value and its changes; the only shared state there is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Watch(Generic[T]):
    """Holds the latest value of something; whoever follows it sees the latest, not every one.

    It belongs to one event loop; nothing in it is safe to call from another thread.
    """

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._followers: dict[object, Callable[[], None]] = {}

    @property
    def value(self) -> T:
        """The latest value."""
        return self._value

    @property
    def version(self) -> int:
        """How often the value was set; grows by one each time."""
        return self._version

    def set(self, value: T) -> None:
        """Replace the value and wake everyone who follows."""
        self._value = value
        self._version += 1
        for wake in tuple(self._followers.values()):
            wake()

    def follow(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called after each change, until the function that is returned is called."""
        token = object()
        self._followers[token] = wake

        def stop() -> None:
            self._followers.pop(token, None)

        return stop

    async def changes(self) -> AsyncIterator[T]:
        """Yield the value now and, after each change, the latest one."""
        changed = asyncio.Event()
        stop = self.follow(changed.set)
        try:
            while True:
                changed.clear()
                yield self._value
                await changed.wait()
        finally:
            stop()
