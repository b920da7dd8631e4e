"""Keeping the rules that the server pushes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.access.held_policies import HeldPolicies
from agent.operations.keep_policies import PAUSE, POLICIES, PolicyKeeping
from agent.operations.link import Link
from agent.storage.topics import Document, TopicFiles
from agent.upstream.following import Changed
from finial.runtime.watch import Watch
from tests.doubles.access import CHARGE, policies
from tests.doubles.clock import StandingClock, settle
from tests.doubles.running_agent import until


class Disk(TopicFiles):
    """A disk that may be full."""

    is_full = False

    def store(self, topic: str, document: Document) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().store(topic, document)


class Desk:
    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.clock = StandingClock()
        self.link = Link(connected=True)
        self.held: Watch[HeldPolicies | None] = Watch(None)
        self.disk = Disk(folder)
        self.applied: list[int] = []
        self.keeping = self.make()

    def make(self) -> PolicyKeeping:
        return PolicyKeeping(held=self.held, topics=self.disk, link=self.link, clock=self.clock)

    def tell(self, version: int, content: bytes | None = None) -> None:
        document = policies(version, None, CHARGE) if content is None else content
        self.keeping.told(Changed(POLICIES, version, document))

    async def take(self, topic: str, version: int) -> None:
        assert topic == POLICIES
        self.applied.append(version)


def play(folder: Path, act: Callable[[Desk], Awaitable[None]]) -> None:
    async def whole() -> None:
        desk = Desk(folder)
        keeping = asyncio.ensure_future(desk.keeping.keep(desk.take))
        try:
            await act(desk)
        finally:
            keeping.cancel()

    asyncio.run(whole())


def test_what_is_told_is_in_force_kept_and_said(tmp_path: Path) -> None:
    """And in force again after a restart."""

    async def act(desk: Desk) -> None:
        desk.tell(3)
        await until(lambda: desk.applied == [3])
        desk.held.set(None)
        again = desk.make()
        again.resume()
        assert again.version == 3

    play(tmp_path, act)


def test_older_and_broken_ones_change_nothing(tmp_path: Path) -> None:
    """The server sees that this agent lags, and the doctor says why."""

    async def act(desk: Desk) -> None:
        desk.tell(3)
        await until(lambda: desk.applied == [3])
        desk.tell(2)
        desk.tell(4, b"{}")
        await until(lambda: POLICIES in desk.link.troubles)
        desk.tell(5, policies(1))
        await until(lambda: "older" in desk.link.troubles[POLICIES].detail)
        assert (desk.keeping.version, desk.applied) == (3, [3])
        desk.tell(6)
        await until(lambda: desk.applied == [3, 6])
        assert not desk.link.troubles

    play(tmp_path, act)


def test_a_full_disk_lets_rules_in_and_is_tried_again(tmp_path: Path) -> None:
    """They decide at once; that they are applied is said when they would survive a restart."""

    async def act(desk: Desk) -> None:
        desk.disk.is_full = True
        desk.tell(3)
        await until(lambda: POLICIES in desk.link.troubles)
        assert (desk.keeping.version, desk.applied) == (3, [])
        desk.disk.is_full = False
        await settle(50)
        await desk.clock.pass_time(PAUSE)
        await until(lambda: desk.applied == [3])
        assert not desk.link.troubles

    play(tmp_path, act)


def test_newer_ones_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    """They take the place of those that could not be kept."""

    async def act(desk: Desk) -> None:
        desk.disk.is_full = True
        desk.tell(3)
        await until(lambda: POLICIES in desk.link.troubles)
        desk.disk.is_full = False
        desk.tell(4)
        await until(lambda: desk.applied == [4])

    play(tmp_path, act)


@pytest.mark.parametrize("stored", ["{}", "nonsense"])
def test_a_damaged_file_is_passed_over(tmp_path: Path, stored: str) -> None:
    """Nothing is decided by it; the server is asked."""
    desk = Desk(tmp_path)
    desk.disk.store(POLICIES, Document(3, stored))
    desk.keeping.resume()
    assert desk.keeping.held is None


def test_rules_age_from_the_end_of_the_stream(tmp_path: Path) -> None:
    """Or from the beginning of the program, since nobody knows of a time before."""
    desk = Desk(tmp_path)
    now = desk.clock.now()
    assert desk.keeping.age(now + 60) == 0
    desk.link.connected = False
    assert desk.keeping.age(now + 60) == 60
    desk.link.followed_until = now + 40
    assert desk.keeping.age(now + 60) == 20
