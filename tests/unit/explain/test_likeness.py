"""How alike texts are, without being kept busy by whoever writes long ones."""

from difflib import SequenceMatcher

import pytest

from finial.explain.likeness import ALIKE, LONGEST_COMPARED, alike, most_alike


@pytest.mark.parametrize(
    ("one", "other"),
    [("web", "webb"), ("app", "application"), ("web", "xyz"), ("", "a"), ("abcd", "abxcd")],
)
def test_short_texts_are_compared_whole(one: str, other: str) -> None:
    """What people write is as alike as difflib says, in either order."""
    expected = SequenceMatcher(None, one, other).ratio()
    assert alike(one, other) == pytest.approx(expected)
    assert alike(other, one) == pytest.approx(expected)
    assert alike(one, one) == 1


def test_of_long_texts_the_beginnings_are_compared() -> None:
    """What lies behind the first few hundred signs makes no difference."""
    long = "x" * 100_000
    assert alike(f"{long}a", f"{long}b") == 1
    assert alike("a" + long, "b" + long) == pytest.approx(1 - 1 / LONGEST_COMPARED)
    assert alike("ab" * 100, "ba" * 100) > ALIKE


def test_the_most_alike_of_very_many_is_found() -> None:
    """By what both begin and end with, before anything is compared that takes long."""
    words = [f"key-number-{number}-{'x' * 200}" for number in range(1000)]
    assert most_alike(f"kex-number-512-{'x' * 200}", words) == words[512]
    assert most_alike("app", ["apps", "map", "team"]) == "apps"
    assert most_alike("app", ["team", "zone"]) == ""
    assert most_alike("app", []) == ""
