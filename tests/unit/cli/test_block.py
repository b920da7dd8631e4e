"""What `finial block` asks for, and what it says of the answer."""

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import root
from cli.commands.block import _end, _guess, _is, _tell

BLOCK = {
    "id": "b1",
    "kind": "spiffe_id",
    "subject": "spiffe://example.org/orders",
    "reason": "key\x1b[2Jleaked",
    "until": None,
}
HITS = {
    "entry_count": 1,
    "entries": [{"id": "e1", "spiffe_id": "spiffe://example.org/orders"}],
    "svid_count": 2,
    "svids": [{"kind": "x509", "serial": "42", "expires_at": "T"}],
    "more": False,
    "agents": ["spiffe://example.org/spire/agent/x"],
    "remains": [
        {"until": "T", "who": "verifiers of mTLS", "what": "accept the X.509-SVIDs"},
        {"until": None, "who": "verifiers", "what": "accept it"},
    ],
}


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("spiffe://example.org/orders", "spiffe_id"),
        ("unix:uid:0", "selector"),
        ("nonsense", "spiffe_id"),
    ],
)
def test_kind_is_guessed(subject: str, kind: str) -> None:
    """A SPIFFE ID is what it looks like; whatever else has a colon is a selector."""
    assert _guess(subject) == kind


def test_end_is_an_instant() -> None:
    """`--until` is passed on, `--for` is counted from now, and nothing is no end."""
    assert _end(None, None) is None
    assert _end("2030-01-01T00:00:00Z", None) == "2030-01-01T00:00:00Z"
    counted = _end(None, "2h")
    assert counted is not None
    assert counted.endswith("Z")


@pytest.mark.parametrize(
    ("until", "lasting"),
    [
        ("2030-01-01T00:00:00Z", "2h"),
        (None, "soon"),
        (None, "99999999999h"),
        ("tomorrow", None),
        ("2030-01-01T00:00:00", None),
    ],
)
def test_end_that_is_none_is_wrong_usage(until: str | None, lasting: str | None) -> None:
    """Both at once, a length of time or a time that is none, or one without its offset."""
    with pytest.raises(click.UsageError):
        _end(until, lasting)


@pytest.mark.parametrize("named", ["b7", "8000511", "7a:13:ff", "0x7a13ff", "7A13FF"])
def test_a_blocked_serial_number_is_named_as_it_was_blocked(named: str) -> None:
    """By the block's id, in decimal, or in hex as other tools print it."""
    block = {"id": "b7", "kind": "serial", "subject": "8000511"}
    assert _is(block, named)
    assert not _is(block | {"id": "b8", "subject": "8000512"}, named)
    assert not _is(block, "nonsense")
    assert _is({**BLOCK, "id": "b1"}, "spiffe://example.org/orders")


def test_preview_says_that_nothing_was_blocked(capsys: pytest.CaptureFixture[str]) -> None:
    """A preview has no id; what is hit and what remains possible is told, harmlessly."""
    _tell({"dry_run": True, "block": BLOCK, "hits": HITS, "reception": None})
    said = capsys.readouterr().out
    assert said.startswith("would block spiffe_id spiffe://example.org/orders")
    assert "b1" not in said
    assert "\x1b" not in said
    assert "hits 1 entry, 2 live SVIDs, 1 agent" in said
    assert "until T verifiers of mTLS accept the X.509-SVIDs" in said
    assert "until it ends, which its trust domain alone knows, verifiers accept it" in said


def test_block_says_who_enforces_it(capsys: pytest.CaptureFixture[str]) -> None:
    """How many agents do, after how long; which do not yet, cannot, or are away."""
    reception = {
        "applied": ["a"],
        "waiting": ["b"],
        "deaf": ["c"],
        "unreachable": [f"d{number}" for number in range(12)],
        "seconds": 0.0314,
    }
    block = {**BLOCK, "until": "2030-01-01T00:00:00Z"}
    _tell({"dry_run": False, "block": block, "hits": HITS, "reception": reception})
    said = capsys.readouterr().out
    assert "block b1" in said
    assert "until 2030-01-01T00:00:00Z" in said
    assert "enforced by the server and 1 of 2 agents that listen, after 0.031 s" in said
    for line in ("agent b has not", "agent c knows nothing", "agent d0 cannot", "and 2 more"):
        assert line in said


def test_a_reason_is_needed() -> None:
    """Nobody is locked out without a word."""
    shown = CliRunner().invoke(root, ["block", "spiffe://example.org/orders"])
    assert shown.exit_code == 2
    assert "--reason" in shown.output
