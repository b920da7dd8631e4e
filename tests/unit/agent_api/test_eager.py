"""Coroutines that run at once for as long as they need not wait."""

import asyncio
from typing import Any

import pytest

from agent.api.eager import eagerly


async def at_once(value: int) -> int:
    return value


async def after(future: "asyncio.Future[int]", seen: list[str]) -> int:
    try:
        return await future + await future
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    finally:
        seen.append("ended")


async def fail() -> int:
    raise ValueError("no")


def test_what_need_not_wait_is_a_value() -> None:
    """A coroutine that never waits is answered without a task."""
    assert eagerly(at_once(3)) == 3


def test_what_fails_at_once_raises_at_once() -> None:
    """A fault before the first wait comes out where the coroutine was begun."""
    with pytest.raises(ValueError, match="no"):
        eagerly(fail())


def test_what_waits_goes_on_in_whoever_awaits_it() -> None:
    """A coroutine that has to wait is awaited like any other, and its result comes back."""

    async def whole() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        seen: list[str] = []
        rest: Any = eagerly(after(future, seen))
        asyncio.get_running_loop().call_soon(future.set_result, 4)
        assert await rest == 8
        assert seen == ["ended"]

    asyncio.run(whole())


def test_a_fault_of_what_is_waited_for_reaches_the_coroutine() -> None:
    """What the awaited future raises is raised inside, and comes out where it is awaited."""

    async def whole() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        seen: list[str] = []
        rest: Any = eagerly(after(future, seen))
        asyncio.get_running_loop().call_soon(future.set_exception, ValueError("inside"))
        with pytest.raises(ValueError, match="inside"):
            await rest
        assert seen == ["ended"]

    asyncio.run(whole())


def test_cancelling_reaches_the_coroutine() -> None:
    """A call that is cancelled cancels what it began, and its clean-up is run."""

    async def whole() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        seen: list[str] = []

        async def waiting() -> int:
            rest: Any = eagerly(after(future, seen))
            result: int = await rest
            return result

        task = asyncio.ensure_future(waiting())
        await asyncio.sleep(0)  # noqa: TID251 - lets the task begin
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert seen == ["cancelled", "ended"]

    asyncio.run(whole())
