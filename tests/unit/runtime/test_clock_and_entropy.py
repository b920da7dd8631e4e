"""Time and randomness: the machine's, and the doubles that stand in for them."""

import asyncio
import uuid

from finial.runtime.clock import LONGEST_SLEEP, Clock, SystemClock
from finial.runtime.entropy import Entropy, SystemEntropy
from tests.doubles.clock import NOW, StandingClock, settle
from tests.doubles.entropy import RepeatingEntropy


def test_the_machines_clocks_go_on() -> None:
    """The wall clock tells the date, the monotonic one never goes back, and sleeping returns."""
    clock: Clock = SystemClock()
    assert clock.now() > 1_700_000_000
    assert clock.monotonic() <= clock.monotonic()
    asyncio.run(clock.sleep(-5.0))


def test_the_machine_draws_what_is_asked_for() -> None:
    """Bytes, serial numbers, UUIDs and numbers keep to their bounds and differ."""
    entropy: Entropy = SystemEntropy()
    assert len(entropy.bytes(32)) == 32
    assert entropy.bytes(32) != entropy.bytes(32)
    assert 1 <= entropy.serial_number() < 2**128
    assert uuid.UUID(entropy.uuid()).version == 4
    assert 2.0 <= entropy.between(2.0, 3.0) <= 3.0


def test_repeating_entropy_repeats() -> None:
    """Two sources of one seed draw the same, draw by draw, and each draw differs."""
    first: Entropy = RepeatingEntropy("x")
    second: Entropy = RepeatingEntropy("x")
    drawn = [first.bytes(16), first.bytes(16), first.uuid(), first.serial_number()]
    assert drawn == [second.bytes(16), second.bytes(16), second.uuid(), second.serial_number()]
    assert drawn[0] != drawn[1]
    assert RepeatingEntropy(position=1.0).between(2.0, 3.0) == 3.0


def test_a_standing_clock_wakes_sleepers_when_their_time_comes() -> None:
    """Time passes only when a test says so, and a jump of the wall clock wakes nobody."""

    async def whole() -> list[float]:
        clock, woken = StandingClock(), []

        async def sleep(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleep(seconds)) for seconds in (5.0, 1.0, 0.0)]
        await settle()
        assert clock.sleepers == (1.0, 5.0)
        clock.jump(3_600)
        await settle()
        assert woken == [0.0]
        await clock.pass_time(4.0)
        assert woken == [0.0, 1.0]
        assert clock.now() == NOW + 3_604
        tasks[0].cancel()
        await settle()
        assert not clock.sleepers
        return woken

    assert asyncio.run(whole()) == [0.0, 1.0]
    assert LONGEST_SLEEP == 60.0
