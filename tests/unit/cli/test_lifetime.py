import click
import pytest

from cli.lifetime import Lifetime


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0", 0), ("90s", 90), ("1h30m", 5400), ("30d", 2_592_000)]
)
def test_a_lifetime_is_text_or_seconds(text: str, seconds: int) -> None:
    """`1h30m` and a number of seconds are both taken."""
    assert Lifetime().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["1x", "-5", "", "1 h", "tomorrow"])
def test_what_is_no_lifetime_is_shown_one(text: str) -> None:
    """Anything else is wrong usage, told with examples."""
    with pytest.raises(click.BadParameter, match="such as 24h"):
        Lifetime().convert(text, None, None)


@pytest.mark.parametrize("text", ["0", "0s", "500ms"])
def test_what_ends_at_once_is_too_short(text: str) -> None:
    """A token that is good for no time at all is refused."""
    with pytest.raises(click.BadParameter, match="shorter than 1 s"):
        Lifetime(1).convert(text, None, None)
