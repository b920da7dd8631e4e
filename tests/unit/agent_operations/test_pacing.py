"""How changes reach streams, and who needs SVIDs."""

import asyncio
from dataclasses import replace

from agent.cache.entitlement import Entitlements
from agent.cache.view import Holdings
from agent.operations.publish import publish
from agent.operations.subscriptions import Subscriptions
from finial.runtime.watch import Watch
from tests.doubles.clock import StandingClock, settle
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement


def changed(holdings: Watch[Holdings], number: int) -> None:
    known = Entitlements([entitlement(str(number))])
    holdings.set(replace(holdings.value, entitlements=known))


async def published_of(streams: int, changes: int) -> int:
    """How many of so many changes in no time are handed on before any time passes."""
    clock = StandingClock()
    holdings = Watch(Holdings(TRUST_DOMAIN))
    published = Watch(holdings.value)
    task = asyncio.ensure_future(publish(holdings, published, clock, lambda: streams))
    for number in range(changes):
        changed(holdings, number)
        await settle()
    before = published.version
    await clock.pass_time(1)
    assert published.value is holdings.value
    task.cancel()
    return before


def test_a_change_is_handed_on_at_once() -> None:
    """WAPI-11, WAPI-12: a single change does not wait for anything."""
    assert asyncio.run(published_of(1000, 1)) == 1


def test_changes_in_no_time_are_bounded_and_the_last_one_is_complete() -> None:
    """WAPI-12: after a burst the rest is one change, handed on when a pause has passed."""
    assert asyncio.run(published_of(1, 50)) == 5


def test_the_pause_grows_with_the_streams() -> None:
    """WAPI-12: a thousand streams are woken at most ten times a second after a burst."""

    async def act() -> list[int]:
        clock = StandingClock()
        holdings = Watch(Holdings(TRUST_DOMAIN))
        published = Watch(holdings.value)
        task = asyncio.ensure_future(publish(holdings, published, clock, lambda: 1000))
        versions = []
        for number in range(100):
            changed(holdings, number)
            await settle()
            await clock.pass_time(0.01)
            versions.append(published.version)
        task.cancel()
        return versions

    assert 10 <= asyncio.run(act())[-1] <= 16


def test_streams_are_counted_by_entry() -> None:
    """An entry is subscribed until the last of its streams has ended."""
    subscriptions = Subscriptions(limit=7)
    subscriptions.add(("a", "b"), 1.0)
    subscriptions.add(("a",), 2.0)
    subscriptions.remove(("a", "b"))
    demand = subscriptions.demand()
    assert demand.subscribed == frozenset({"a"})
    assert demand.last_used == {"a": 2.0, "b": 1.0}
    assert demand.limit == 7
    subscriptions.remove(("a",))
    assert not subscriptions.demand().subscribed


def test_lost_entries_are_forgotten() -> None:
    """When an entry is no longer ours it is forgotten when it was used."""
    subscriptions = Subscriptions(limit=7)
    subscriptions.add(("a", "b"), 1.0)
    subscriptions.keep_only(["b"])
    assert subscriptions.demand().last_used == {"b": 1.0}
