"""What `finial top` draws."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli.commands.top import _live, _screen, _whole
from cli.flows import Flow

PAGE: dict[str, Any] = {"since": "2030-01-01T00:00:00Z", "silent": [], "unable": 0}
ROW = {
    "caller": "spiffe://example.org/orders",
    "callee": None,
    "means": "mtls",
    "outcome": "denied",
    "method": "GET",
    "path": "/\x1b[2J[red]x",
    "reason": "no_rule",
    "count": 3,
    "first_seen": "2030-01-01T00:00:00Z",
    "last_seen": "2030-01-01T00:00:00Z",
}


def test_without_a_terminal_each_look_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the former one, so that a pipe has it at once."""
    _live(iter([(PAGE, [Flow(ROW, None)]), (PAGE, [])]), "requests")
    said = capsys.readouterr().out
    assert said.count("CALLER") == 1
    assert "3 denied" in said
    assert said.endswith("nobody has called anybody\n")


def test_a_screen_shows_the_busiest_and_obeys_nobody() -> None:
    """What does not fit is counted; neither escapes nor markup of a path are obeyed."""
    file = io.StringIO()
    console = Console(file=file, width=200, height=8)
    flows = [Flow(ROW, 1.5), Flow(ROW, 1.0), Flow(ROW, None), Flow(ROW, 0.0)]
    console.print(_screen(PAGE, flows, "requests", console.height))
    said = file.getvalue()
    assert "2.5 requests a second; 0 allowed, 0 would be denied, 12 denied" in said
    assert said.count("spiffe://example.org/orders") == 3
    assert "and 1 more" in said
    assert "\x1b" not in said
    assert "[red]x" in said


def test_further_pages_are_of_the_first_look() -> None:
    """They are asked for as what may be old, and put together."""
    asked: list[dict[str, Any]] = []

    def ask(**query: Any) -> dict[str, Any]:
        asked.append(query)
        token = "" if "page_token" in query else "more"
        return {**PAGE, "items": [len(asked)], "next_page_token": token}

    assert _whole(ask) == {**PAGE, "items": [1, 2]}
    assert asked[1] == {"page_size": 1000, "page_token": "more", "max_age": 3600}
