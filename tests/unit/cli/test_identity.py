"""What `finial identity` says of what the server answers."""

from typing import Any

import pytest

from cli.commands.identity import _tell

GOOD: dict[str, Any] = {
    "id": "spiffe://example.org/orders",
    "standing": "good",
    "blocks": [],
    "entries": [{"id": "e1", "parent_id": "spiffe://example.org/spire/agent/x"}],
    "svid_count": 1,
    "more": False,
    "last_seen": "T1",
    "agents": [
        {
            "agent_id": "spiffe://example.org/spire/agent/x",
            "svids": 1,
            "connected": False,
            "until": "T2",
        }
    ],
}
BLOCK = {
    "id": "b1",
    "kind": "spiffe_id",
    "since": "T0",
    "until": None,
    "who": "local uid 0",
    "reason": "key\x1bleaked",
}


def test_a_good_identity_shows_who_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Its entries, what lives of it, and through which agents."""
    _tell(GOOD, "text")
    said = capsys.readouterr().out
    assert "spiffe://example.org/orders is good" in said
    assert "1 live SVID, the last issued at T1" in said
    assert "1 through spiffe://example.org/spire/agent/x, which is away, the last ends" in said


def test_a_blocked_identity_shows_why(capsys: pytest.CaptureFixture[str]) -> None:
    """Since when, by whom, until when and why, harmlessly."""
    blocks = [BLOCK, BLOCK | {"until": "T9"}]
    many = {"standing": "blocked", "blocks": blocks, "svid_count": 2, "more": True}
    _tell(GOOD | many, "text")
    said = capsys.readouterr().out
    assert "blocked since T0 by local uid 0: key" in said
    assert "until T9" in said
    assert "more than 2 live SVIDs" in said
    assert "\x1b" not in said


def test_programs_get_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """As the server sent it."""
    _tell(GOOD, "json")
    assert capsys.readouterr().out.startswith('{"id":"spiffe://example.org/orders"')
