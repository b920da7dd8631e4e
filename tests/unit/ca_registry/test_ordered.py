"""Values kept in order."""

from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from ca.registry.index import ordered
from ca.registry.index.ordered import Ordered


def _ordered(values: list[int]) -> Ordered[int]:
    found: Ordered[int] = Ordered(lambda value: value)
    for value in values:
        found.add(value)
    return found


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=300), st.integers(-1, 3001)
)
def test_it_is_what_a_sorted_list_is(steps: list[tuple[bool, int]], place: int) -> None:
    """Whatever is added and removed, the values are those of a sorted list, and so is a part."""
    found = _ordered(list(range(0, 2400, 3)))
    model = set(range(0, 2400, 3))
    for add, value in steps:
        if add and value not in model:
            found.add(value)
            model.add(value)
        elif not add and value in model:
            found.remove(value)
            model.remove(value)
    wanted = sorted(model)
    assert list(found) == wanted
    assert found.snapshot() == tuple(wanted)
    assert list(found.after(place)) == wanted[bisect_right(wanted, place) :]
    assert len(found) == len(wanted)


def test_chunks_stay_short_wherever_values_come_in() -> None:
    """Adding at the end, at the beginning or between moves only a few values."""
    for values in (range(5000), range(5000, 0, -1), sorted(range(5000), key=lambda v: v % 71)):
        found = _ordered(list(values))
        assert max(map(len, found._chunks)) <= ordered._LONGEST_CHUNK
        for value in range(1, 4999):
            found.remove(value)
        assert len(found) == 2
        assert len(found._chunks) <= 2


def test_a_snapshot_is_made_once_for_each_state() -> None:
    """Whoever reads twice gets the same object, and whoever holds one sees no change."""
    found = _ordered([2, 1])
    before = found.snapshot()
    assert found.snapshot() is before
    found.add(3)
    assert before == (1, 2)
    assert found.snapshot() == (1, 2, 3)


def test_nothing_follows_in_an_empty_one() -> None:
    """An empty order has no values after anything."""
    assert list(_ordered([]).after(0)) == []
