"""What is held ready."""

from finial.policy.index.recent import Recent


def test_what_was_not_used_for_longest_goes() -> None:
    """The weight of all that is held has a bound; using something keeps it."""
    recent: Recent[str, int] = Recent(10)
    for number, key in enumerate("abc"):
        recent.put(key, number, 3)
    assert recent.get("a") == 0
    recent.put("d", 3, 3)
    assert [recent.get(key) for key in "abcd"] == [0, None, 2, 3]
    assert recent.weight == 9


def test_something_too_heavy_is_held_alone() -> None:
    """It has to be made in any case, so that it may stay until something else comes."""
    recent: Recent[str, int] = Recent(10)
    recent.put("a", 1, 4)
    assert recent.put("b", 2, 100) == 2
    assert (recent.get("a"), recent.get("b"), recent.weight) == (None, 2, 100)
    recent.put("c", 3, 1)
    assert (recent.get("b"), recent.weight) == (None, 1)
