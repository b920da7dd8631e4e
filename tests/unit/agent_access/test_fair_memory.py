"""What is kept where anybody can make more of it."""

from hypothesis import given
from hypothesis import strategies as st

from agent.access.fair_memory import FairMemory

Acts = list[tuple[str, int]]


def test_whoever_has_most_loses_their_oldest() -> None:
    """Somebody who has few keeps them, however old they are."""
    memory: FairMemory[str, str, str] = FairMemory(3)
    for key in ("a1", "b1", "b2", "b3", "b4"):
        memory.add(key[0], key, key.upper())
    assert list(memory) == ["B4", "B3", "A1"]
    assert memory.renew("b3") == "B3"
    memory.add("c", "c1", "C1")
    assert list(memory) == ["C1", "B3", "A1"]
    assert memory.renew("b4") is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9))), st.integers(1, 6))
def test_it_is_fair_and_bounded_whatever_comes(acts: Acts, most: int) -> None:
    """Nobody loses anything while somebody else has more."""
    memory: FairMemory[str, tuple[str, int], tuple[str, int]] = FairMemory(most)
    held: list[tuple[str, int]] = []
    for act in acts:
        if memory.renew(act) is not None:
            held.remove(act)
        else:
            memory.add(act[0], act, act)
            kept = list(memory)
            [gone] = [each for each in held if each not in kept] or [None]
            assert (gone is not None) == (len(held) == most)
            if gone is not None:
                owners = [owner for owner, _ in held]
                assert owners.count(gone[0]) == max(map(owners.count, owners))
                assert gone == next(each for each in held if each[0] == gone[0])
                held.remove(gone)
        held.append(act)
        assert list(memory) == held[::-1]
        assert len(memory) == len(held)
