"""Names of users and groups, from a directory that may be slow, broken or flooded."""

import asyncio
import threading

import pytest

from attestors.workload.unix.account_names import (
    MAX_ASKED,
    MAX_NAMES,
    REMEMBERED,
    THREADS,
    AccountNames,
    group_name,
    user_name,
)
from finial.runtime.clock import SystemClock
from tests.doubles.clock import StandingClock

SECONDS = 10.0


def test_a_name_is_looked_up_once_in_a_minute() -> None:
    """A name, or that there is none, is remembered for a minute and then looked up again."""
    clock, asked = StandingClock(), []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        return None if uid == 5 else f"user-{uid}"

    async def whole() -> None:
        names = AccountNames(lookup, clock)
        assert names.known((5, 6)) is None
        assert await names.find((5, 6, 6), SECONDS) == {5: None, 6: "user-6"}
        assert names.known((5, 6)) == {5: None, 6: "user-6"}
        assert await names.find((5, 6), SECONDS) == {5: None, 6: "user-6"}
        assert sorted(asked) == [5, 6]
        clock.advance(REMEMBERED)
        assert names.known((6,)) is None
        await names.find((6,), SECONDS)

    asyncio.run(whole())
    assert sorted(asked) == [5, 6, 6]


def test_a_slow_directory_costs_only_names() -> None:
    """A user database that does not answer holds up nobody beyond their deadline."""
    answer, asked = threading.Event(), []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        answer.wait(SECONDS)
        return "late"

    async def whole() -> None:
        names = AccountNames(lookup, SystemClock())
        assert await names.find((6,), 0.0) == {}
        waiting = asyncio.create_task(names.find((6,), SECONDS))
        assert await names.find((6,), 0.0) == {}
        answer.set()
        assert await waiting == {6: "late"}

    asyncio.run(whole())
    assert asked == [6]


def test_a_lookup_that_fails_is_tried_again() -> None:
    """A user database that breaks is a bug told to whoever asks, and is asked again."""
    asked = []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        if len(asked) == 1:
            raise RuntimeError("broken")
        return "web"

    async def whole() -> None:
        names = AccountNames(lookup, SystemClock())
        with pytest.raises(RuntimeError):
            await names.find((6,), SECONDS)
        assert await names.find((6,), SECONDS) == {6: "web"}

    asyncio.run(whole())


def test_names_are_bounded() -> None:
    """However many users call, only the last names are remembered."""

    async def whole() -> None:
        names = AccountNames(str, SystemClock())
        await names.find(range(MAX_NAMES + 20), SECONDS)
        assert len(names._known) == MAX_NAMES

    asyncio.run(whole())


def test_names_come_from_this_machine() -> None:
    """User and group 0 have names here, and a number that nobody has is none."""
    assert user_name(0) == "root"
    assert group_name(0)
    assert user_name(2**31 - 7) is None
    assert group_name(2**31 - 7) is None


def test_who_has_many_groups_lets_others_go_between() -> None:
    """In user namespaces people have a thousand groups: others' names do not wait for all."""
    begun, answer, asked = threading.Event(), threading.Event(), []

    def lookup(number: int) -> str | None:
        asked.append(number)
        begun.set()
        answer.wait(SECONDS)
        return str(number)

    async def whole() -> None:
        names, loop = AccountNames(lookup, SystemClock()), asyncio.get_running_loop()
        many = asyncio.create_task(names.find(range(100, 200), SECONDS))
        await loop.run_in_executor(None, begun.wait)
        other = asyncio.create_task(names.find((7,), SECONDS))
        loop.call_soon(answer.set)
        assert await other == {7: "7"}
        assert len(await many) == 100

    asyncio.run(whole())
    assert asked.index(7) <= MAX_ASKED + THREADS
