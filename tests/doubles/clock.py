"""A clock that stands still until a test moves it."""

import asyncio
from dataclasses import dataclass, field

NOW = 1_800_000_000.0


@dataclass(slots=True)
class _Sleeper:
    due: float
    woken: "asyncio.Future[None]"


@dataclass(slots=True)
class StandingClock:
    """A `Clock` whose hands only `advance` and `jump` move; sleepers wake when their time comes."""

    wall: float = NOW
    steady: float = 1_000.0
    _sleepers: list[_Sleeper] = field(default_factory=list)

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)  # noqa: TID251 - yields once, waits for nothing
            return
        sleeper = _Sleeper(self.steady + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            await sleeper.woken
        finally:
            self._sleepers.remove(sleeper)

    @property
    def sleepers(self) -> tuple[float, ...]:
        """How many seconds each sleeper still has to wait, shortest first."""
        return tuple(sorted(sleeper.due - self.steady for sleeper in self._sleepers))

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks and wake whoever is due."""
        self.wall += seconds
        self.steady += seconds
        for sleeper in self._sleepers:
            if sleeper.due <= self.steady and not sleeper.woken.done():
                sleeper.woken.set_result(None)

    def jump(self, seconds: float) -> None:
        """Set the wall clock without any time passing, as an administrator or NTP does."""
        self.wall += seconds

    async def pass_time(self, seconds: float) -> None:
        """Advance, then let whoever was woken run until they wait again."""
        self.advance(seconds)
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let tasks that can run do so, without any time passing."""
    for _ in range(rounds):
        await asyncio.sleep(0)  # noqa: TID251 - yields only
