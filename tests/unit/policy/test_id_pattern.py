"""Patterns for SPIFFE IDs."""

import pytest

from finial.policy.id_pattern import IdPattern
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("spiffe://example.org/a", ["example.org/a"], ["example.org/a/b", "other.org/a"]),
        (
            "spiffe://example.org/a/*",
            ["example.org/a/b", "example.org/a/b/c"],
            ["example.org/a", "example.org/ab", "other.org/a/b", "example.org/b/a/b"],
        ),
        (
            "spiffe://example.org/*",
            ["example.org/a", "example.org/a/b"],
            ["example.org", "example.org.evil.org/a", "other.org/a"],
        ),
        ("spiffe://example.org", ["example.org"], ["example.org/a"]),
    ],
)
def test_an_id_or_everything_below_it(pattern: str, matching: list[str], others: list[str]) -> None:
    """A star matches whole segments of one trust domain, and never the prefix itself (ID-18)."""
    parsed = IdPattern.parse(pattern)
    found = [
        each for each in [*matching, *others] if parsed.matches(SpiffeId.parse(f"spiffe://{each}"))
    ]
    assert found == matching
    assert str(parsed) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "/*",
        "spiffe://*",
        "spiffe://*/a",
        "spiffe://example.org/*/a",
        "spiffe://example.org/a*",
        "spiffe://example.org/**",
        "spiffe://example.org/*/*",
        "spiffe://example.org//*",
        "spiffe://example.org/a/",
        "spiffe://EXAMPLE.org/a",
        "http://example.org/a",
        "",
    ],
)
def test_a_star_stands_only_at_the_end(text: str) -> None:
    """Anything but an ID, or an ID and `/*`, is refused (ID-01, ID-07)."""
    with pytest.raises(Refusal) as refused:
        IdPattern.parse(text)
    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a/*", "a", False),
        ("a/*", "a/b", True),
        ("a/*", "a/*", True),
        ("a/*", "a/b/*", True),
        ("a/*", "ab/*", False),
        ("*", "a/*", True),
    ],
)
def test_two_patterns_may_speak_of_one_id(one: str, other: str, do: bool) -> None:
    """Whichever of both comes first."""
    patterns = [IdPattern.parse(f"spiffe://example.org/{each}") for each in (one, other)]
    assert patterns[0].overlaps(patterns[1]) is do
    assert patterns[1].overlaps(patterns[0]) is do
