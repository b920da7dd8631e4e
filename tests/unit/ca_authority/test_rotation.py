"""When authorities are prepared, activated and retired."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.authority.keyring import Keyring
from ca.authority.rotation import (
    Activate,
    Prepare,
    Retire,
    Step,
    Timetable,
    is_usable,
    next_step,
    next_wake,
)
from ca.authority.slot import Phase, Slot, Use
from tests.doubles.authorities import slot

START = 1_800_000_000
HOUR, DAY = 3600, 86_400
TIMES = Timetable()


def _ring(*slots: Slot) -> Keyring:
    return Keyring(slots[0].use if slots else Use.X509, slots)


def _active(life: int = DAY, start: float = START, **changes: object) -> Slot:
    return slot("a1", start, life, phase=Phase.ACTIVE, **changes)


def test_a_first_start_prepares_and_activates_at_once() -> None:
    """BX-16: without an authority there is nothing to wait for."""
    assert next_step(_ring(), TIMES, START) == Prepare()
    assert next_step(_ring(slot()), TIMES, START) == Activate(slot())
    assert next_wake(_ring(), TIMES, START) == START


@pytest.mark.parametrize(
    ("life", "prepare_left", "activate_left"),
    [
        (DAY, 12 * HOUR, 4 * HOUR),
        (90 * DAY, 30 * DAY, 7 * DAY),
        (50 * DAY, 25 * DAY, 7 * DAY),
        (20, 10, 20 / 6),
    ],
)
def test_the_thresholds_are_spires(life: int, prepare_left: float, activate_left: float) -> None:
    """BX-03 to BX-05: half the life or 30 days to prepare, a sixth or 7 days to activate."""
    ring = _ring(_active(life))
    due = START + life - prepare_left
    assert next_step(ring, TIMES, due - 0.01) is None
    assert next_step(ring, TIMES, due) == Prepare()
    assert next_wake(ring, TIMES, START) == due
    prepared = slot("a2", due, life)
    ring = ring.with_prepared(prepared)
    takeover = START + life - activate_left
    assert next_step(ring, TIMES, takeover - 0.01) is None
    assert next_step(ring, TIMES, takeover) == Activate(prepared)
    assert next_wake(ring, TIMES, due) == pytest.approx(takeover)


def test_a_late_preparation_is_given_time_to_be_known() -> None:
    """BX-17: after a long outage the new root reaches verifiers before anything is signed by it."""
    late = START + DAY - HOUR
    prepared = slot("a2", late)
    ring = _ring(_active()).with_prepared(prepared)
    assert next_step(ring, TIMES, late + 59) is None
    assert next_wake(ring, TIMES, late) == late + 60
    assert next_step(ring, TIMES, late + 60) == Activate(prepared)


def test_an_expired_active_authority_is_replaced_at_once() -> None:
    """Nothing valid can be signed by it, so that there is nothing to wait for."""
    over = START + DAY
    assert next_step(_ring(_active()), TIMES, over) == Prepare()
    prepared = slot("a2", over - 1)
    assert next_step(_ring(_active()).with_prepared(prepared), TIMES, over) == Activate(prepared)


@pytest.mark.parametrize(("life", "left"), [(DAY, 20), (12, 1.5)])
def test_the_last_moments_of_an_authority_are_waited_for_by_nobody(life: int, left: float) -> None:
    """What it would sign then is of no use, so that its successor does not settle first."""
    spent = START + life - left
    prepared = slot("a2", spent - 0.01, life)
    ring = _ring(_active(life)).with_prepared(prepared)
    assert next_step(_ring(_active(life)), TIMES, spent) == Prepare()
    assert next_step(ring, TIMES, spent - 0.01) is None
    assert next_wake(ring, TIMES, spent - 0.01) == spent
    assert next_step(ring, TIMES, spent) == Activate(prepared)


def test_a_prepared_authority_that_expired_is_dropped() -> None:
    """A prepared one that can never sign leaves the bundle, and another is prepared."""
    spent = slot("a2", START - 2 * DAY)
    ring = _ring(_active(10 * DAY, START - DAY), spent)
    assert next_step(ring, TIMES, START) == Retire(spent)
    assert next_step(ring.without("a2"), TIMES, START) is None


def test_a_prepared_authority_that_grows_old_takes_over() -> None:
    """When lifetimes were made shorter, the new authorities are not wasted one after another."""
    short = slot("a2", START, 20)
    ring = _ring(_active(90 * DAY, START - 65 * DAY), short)
    assert next_step(ring, TIMES, START + 9) is None
    assert next_step(ring, TIMES, START + 10) == Activate(short)


def test_a_clock_that_went_back_finds_new_authorities() -> None:
    """What begins in the future verifies nowhere, so it neither signs nor stays prepared."""
    back = START - HOUR
    ring = _ring(_active(), slot("a2"))
    assert next_step(ring, TIMES, back) == Retire(slot("a2"))
    assert next_step(ring.without("a2"), TIMES, back) == Prepare()
    fresh = slot("a3", back)
    ring = ring.without("a2").with_prepared(fresh)
    assert next_step(ring, TIMES, back) == Activate(fresh)
    ring = ring.with_activated("a3")
    assert next_step(ring, TIMES, back) is None
    assert next_step(ring, TIMES, START + HOUR) is None


def test_a_small_step_back_changes_nothing() -> None:
    """BX-06: the backdating is there for clocks that differ by seconds."""
    assert next_step(_ring(_active()), TIMES, START - 10) is None


def test_an_old_authority_is_retired_when_all_it_signed_has_expired() -> None:
    """It stays to the last second of the last leaf, and for clocks that are slow."""
    old = slot("a0", phase=Phase.OLD, last_expiry=START + 100)
    ring = _ring(old, _active())
    assert next_step(ring, TIMES, START + 110) is None
    assert next_wake(ring, TIMES, START) == START + 111
    assert next_step(ring, TIMES, START + 111) == Retire(old)
    unknown = replace(old, last_expiry=0, not_after=START + 200)
    assert next_step(_ring(unknown, _active()), TIMES, START + 210) is None
    assert next_step(_ring(unknown, _active()), TIMES, START + 211) == Retire(unknown)


def test_there_is_always_a_next_time() -> None:
    """Whoever sleeps until the next step wakes no later than the active authority is spent."""
    assert next_wake(_ring(_active()), TIMES, START + DAY) == START + DAY
    assert next_wake(_ring(_active(), slot("a2", life=30)), TIMES, START) <= START + 30


def test_an_authority_is_usable_while_what_it_signs_is_valid() -> None:
    """At its last second nothing of use can be signed."""
    assert is_usable(slot(), START - 10)
    assert not is_usable(slot(), START - 11)
    assert not is_usable(slot(), START + DAY)


@dataclass
class World:
    """A server that rotates, and everybody who holds something that it signed."""

    ca_ttl: int
    leaf_ttl: int
    use: Use
    exact: bool
    now: float = START
    made: int = 0
    ring: Keyring = field(init=False)
    leaves: dict[str, int] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    activated: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ring = Keyring(self.use)

    def rotate(self) -> Iterator[Step]:
        while (step := next_step(self.ring, TIMES, self.now)) is not None:
            self.take(step)
            yield step

    def take(self, step: Step) -> None:
        if isinstance(step, Prepare):
            self.made += 1
            new = slot(f"a{self.made}", self.now, self.ca_ttl, use=self.use)
            self.published[new.authority_id] = self.now
            self.ring = self.ring.with_prepared(new)
        elif isinstance(step, Activate):
            assert step.slot.authority_id in self.published
            former = self.ring.active
            known = self.leaves.get(former.authority_id, 1) if former and self.exact else 0
            self.ring = self.ring.with_activated(step.slot.authority_id, known)
            self.activated[step.slot.authority_id] = self.now
        else:
            self.ring = self.ring.without(step.slot.authority_id)

    def issue(self) -> None:
        active = self.ring.active
        assert active is not None
        assert active.not_after - self.now > min(self.ca_ttl / 20, 10), "too little to issue from"
        expiry = min(int(self.now) + self.leaf_ttl, active.not_after)
        name = active.authority_id
        self.leaves[name] = max(expiry, self.leaves.get(name, 0))

    def check(self) -> None:
        present = {each.authority_id for each in self.ring.slots}
        alive = {name for name, expiry in self.leaves.items() if expiry >= self.now}
        assert alive <= present, "a leaf outlived its authority's presence in the bundle"
        assert len(self.ring.slots) <= 4


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(
        [(DAY, HOUR), (90 * DAY, HOUR), (20, 6), (20, 3600), (300, 60), (7 * DAY, 7 * DAY)]
    ),
    st.sampled_from(Use),
    st.booleans(),
    st.lists(st.floats(0.001, 0.1), min_size=1, max_size=20),
)
def test_no_leaf_ever_outlives_its_authority_in_the_bundle(
    lives: tuple[int, int], use: Use, exact: bool, pauses: list[float]
) -> None:
    """Weeks pass in milliseconds: there is always one who can sign, and nothing is left unverified."""
    world = World(*lives, use=use, exact=exact)
    last = START + 12 * world.ca_ttl
    ways = cycle(pauses)
    while world.now < last:
        list(world.rotate())
        world.issue()
        world.check()
        wake = next_wake(world.ring, TIMES, world.now)
        assert wake > world.now
        world.now = min(wake, world.now + world.ca_ttl * next(ways))
    assert world.made >= 12
    _judge_waiting(world)


def _judge_waiting(world: World) -> None:
    first, *later = sorted(world.activated, key=lambda name: world.activated[name])
    assert world.published[first] == world.activated[first]
    for name in later:
        waited = world.activated[name] - world.published[name]
        assert waited >= world.ca_ttl / 12 or waited >= 60


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.001, 3.0), min_size=5, max_size=40), st.booleans())
def test_a_server_that_was_away_comes_back_with_one_that_signs(
    absences: list[float], exact: bool
) -> None:
    """However long it was away, it signs at once, and keeps what is still relied upon."""
    world = World(DAY, HOUR, Use.X509, exact)
    for absence in absences:
        steps = list(world.rotate())
        assert len(steps) <= 6
        world.issue()
        world.check()
        assert next_wake(world.ring, TIMES, world.now) > world.now
        world.now += absence * DAY


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-3 * DAY, 3 * DAY), max_size=30))
def test_a_clock_that_jumps_leaves_one_that_signs(jumps: list[int]) -> None:
    """Wherever the clock goes, there is an authority that is valid then, and the steps end."""
    world = World(DAY, HOUR, Use.X509, exact=False)
    for jump in jumps:
        assert len(list(world.rotate())) <= 12
        world.issue()
        world.now = max(world.now + jump, 1_000_000)
    assert len(list(world.rotate())) <= 12
