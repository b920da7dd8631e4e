"""A watch holds the latest value; whoever follows sees the latest, not every one."""

import asyncio

from finial.runtime.watch import Watch
from tests.doubles.clock import settle


def test_a_value_is_replaced_and_counted() -> None:
    """Setting replaces the value and moves the version on by one."""
    watch = Watch("a")
    assert (watch.value, watch.version) == ("a", 0)
    watch.set("b")
    assert (watch.value, watch.version) == ("b", 1)


def test_followers_are_woken_until_they_stop() -> None:
    """Each change wakes every follower, and none that has stopped; stopping twice is no error."""
    watch, woken = Watch(0), []
    stop = watch.follow(lambda: woken.append("first"))
    watch.follow(lambda: woken.append("second"))
    watch.set(1)
    stop()
    stop()
    watch.set(2)
    assert woken == ["first", "second", "second"]


def test_a_follower_may_stop_while_it_is_woken() -> None:
    """A follower that stops itself, or another one, when woken disturbs nobody."""
    watch, woken = Watch(0), []

    def stop_at_once() -> None:
        stop()

    stop = watch.follow(stop_at_once)
    watch.follow(lambda: woken.append(watch.value))
    watch.set(1)
    watch.set(2)
    assert woken == [1, 2]


def test_changes_skip_what_was_overtaken() -> None:
    """`changes` yields the value now and then only the latest, and leaves no follower behind."""

    async def whole() -> list[int]:
        seen: list[int] = []
        watch, see = Watch(0), seen.append

        async def follow() -> None:
            async for value in watch.changes():
                see(value)

        following = asyncio.create_task(follow())
        await settle()
        for value in (1, 2, 3):
            watch.set(value)
        await settle()
        watch.set(4)
        await settle()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await settle()
        assert not watch._followers
        return seen

    assert asyncio.run(whole()) == [0, 3, 4]
