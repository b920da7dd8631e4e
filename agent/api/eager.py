"""Running a coroutine at once, for as long as it has nothing to wait for.

Most calls are answered from memory. A task for each of them would cost more than the answer.
"""

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def eagerly(coroutine: Coroutine[Any, Any, T]) -> T | Awaitable[T]:
    """Return the result if the coroutine never waits, otherwise something to await for it.

    Before its first wait the coroutine runs in no task of its own, so that it must not ask for the
    current one (`asyncio.timeout` does).
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    return _Rest(coroutine, waits_for)


class _Rest(Awaitable[T]):
    """The rest of a coroutine that has begun."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        """Hand what the coroutine waits for to the task that awaits, and its answers back."""
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                fault: BaseException | None = error
            else:
                fault = None
            try:
                if fault is None:
                    waits_for = self._coroutine.send(value)
                else:
                    waits_for = self._coroutine.throw(fault)
            except StopIteration as done:
                result: T = done.value
                return result
