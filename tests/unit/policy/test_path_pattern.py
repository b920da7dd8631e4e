"""Patterns for paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.policy.path.pattern import MAX_SEGMENTS, PathPattern
from finial.spiffe.refusal import Kind, Refusal


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/a", ["/a"], ["/", "/a/", "/a/b", "/A", "/ab"]),
        ("/a/", ["/a/"], ["/a", "/a/b"]),
        ("/", ["/"], ["/a", "//"]),
        ("/*", ["/", "/a", "/a/b", "//"], []),
        ("/a/*", ["/a/", "/a/b", "/a/b/c", "/a//"], ["/a", "/ab", "/b/a"]),
        ("/u/*/o", ["/u/1/o"], ["/u/1", "/u/o", "/u/1/2/o", "/u/1/o/", "/v/1/o"]),
        ("/u/*/f/*", ["/u/1/f/", "/u/1/f/2/3"], ["/u/1/f", "/u/1/2/f/3", "/u/1/g/2"]),
        ("/*/o", ["/1/o"], ["/o", "/1/2/o", "/1/o/x"]),
        ("/*/*", ["/1/2", "/1/", "/1/2/3"], ["/", "/1"]),
        ("/%2A", ["/*"], ["/a", "/%2A"]),
        ("/caf\u00e9 1", ["/caf\u00e9 1"], ["/caf%C3%A9%201"]),
        ("/caf%C3%A9%201", ["/caf\u00e9 1"], []),
        ("/100%25/*", ["/100%/a"], []),
    ],
)
def test_a_pattern_matches_what_it_says(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    """A star is one segment, the last star is everything below; all else is itself."""
    parsed = PathPattern.parse(pattern)
    assert [each for each in [*matching, *others] if parsed.matches(each)] == matching
    assert PathPattern.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("", "begin with a slash"),
        ("a", "begin with a slash"),
        ("*", "begin with a slash"),
        ("/a*", "whole segment"),
        ("/**", "whole segment"),
        ("/a/*.png", "whole segment"),
        ("/a?b", "no query"),
        ("/a#b", "no query"),
        ("/a//b", "several readings"),
        ("/a/../b", "several readings"),
        ("/a;b/*", "several readings"),
        ("/a/%2e%2e/b", "several ways"),
        ("/a%2Fb", "several ways"),
        ("/a\\b", "character"),
        ("/%zz", "encoding"),
        ("/" + "a" * 9000, "8192"),
        ("/*" + "/a" * MAX_SEGMENTS, "at most 15 segments"),
    ],
)
def test_a_pattern_that_no_path_matches_is_refused(pattern: str, fault: str) -> None:
    """A pattern is itself a path with one reading, since all others match nothing."""
    with pytest.raises(Refusal, match=fault) as refused:
        PathPattern.parse(pattern)
    assert refused.value.kind is Kind.INVALID
    assert refused.value.field == "paths"


def test_a_pattern_tells_what_it_is() -> None:
    """What precedes the first star is literal; a star inside, at the end or none is told apart."""
    told = {
        text: (each.literal, each.has_star_inside, each.is_exact)
        for text in ("/a/b", "/a/b/*", "/a/*/c", "/*")
        for each in [PathPattern.parse(text)]
    }
    assert told == {
        "/a/b": ("/a/b", False, True),
        "/a/b/*": ("/a/b", False, False),
        "/a/*/c": ("/a", True, False),
        "/*": ("", False, False),
    }


@pytest.mark.parametrize(
    ("pattern", "both"),
    [
        ("/a", ["/a", "/a/"]),
        ("/a/", ["/a/", "/a"]),
        ("/u/*/o", ["/u/*/o", "/u/*/o/"]),
        ("/", ["/"]),
        ("/a/*", ["/a/*"]),
    ],
)
def test_a_slash_at_the_end_makes_another_pattern(pattern: str, both: list[str]) -> None:
    """An exact pattern has a companion with, or without, a slash at its end."""
    assert [str(each) for each in PathPattern.parse(pattern).with_other_end()] == both


# No percent sign, since an escape of an escape is nothing that a rule can name.
SEGMENT = st.text(alphabet='a*" \u00e9.', min_size=1, max_size=4).filter(
    lambda text: text not in (".", "..")
)


@given(st.lists(st.none() | SEGMENT, max_size=5), SEGMENT, st.booleans())
def test_a_pattern_survives_being_written(
    segments: list[str | None], last: str, rest: bool
) -> None:
    """What is written of a pattern reads as the same pattern."""
    pattern = PathPattern((*segments, last), rest)
    assert PathPattern.parse(str(pattern)) == pattern
