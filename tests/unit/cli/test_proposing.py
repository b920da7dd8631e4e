"""What an entry for a running process may ask for is proposed, and chosen without surprises."""

import json

import click
import pytest

from cli.explaining.proposing import chosen, proposals, propose
from finial.explain.explanation import (
    AttestorReport,
    EntryReport,
    Explanation,
    Outcome,
    ProcessReport,
)

FOUND = Explanation(
    agent_id="spiffe://example.org/spire/agent/x509pop/a",
    process=ProcessReport(pid=7, uid=1000, gid=1000, exe="/bin/\x1b[31mweb"),
    outcome=Outcome.WOULD_BE_REFUSED,
    first_at=1.0,
    last_at=1.0,
    attestors=(
        AttestorReport(
            name="unix",
            status="attested",
            selectors=("unix:uid:1000", "unix:supplementary_gid:1", "unix:supplementary_gid:2"),
        ),
        AttestorReport(
            name="strange", status="attested", selectors=("strange:env:A=(hidden)", "strange:x:y")
        ),
        AttestorReport(name="docker", status="failed", detail="away\x1b[0m"),
    ),
    matches=(EntryReport(id="e1", spiffe_id="spiffe://example.org/e1"),),
)


def test_what_each_selector_relies_on_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By the grammars of attestors that are installed; nothing in it is obeyed by a terminal."""
    propose(FOUND, 7, "text")
    told = capsys.readouterr().out
    assert "unix:uid:1000\n      relies on the kernel" in told
    assert "strange:x:y\n  " not in told.replace("strange:x:y\n\n", "")
    assert "docker failed: away" in told
    assert "it matches the entry e1" in told
    assert "--for-pid 7 --select unix:uid" in told
    assert "A hidden value" in told
    assert "\x1b" not in told
    propose(FOUND, 7, "text", "x509pop/0123")
    assert "--for-pid 7 --agent x509pop/0123 --select unix:uid" in capsys.readouterr().out
    propose(FOUND, 7, "json")
    document = json.loads(capsys.readouterr().out)
    assert document["selectors"][0]["selector"] == "unix:uid:1000"
    assert [each["hidden"] for each in document["selectors"]] == [False, False, False, True, False]


def test_of_a_process_without_selectors_nothing_is_proposed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The attestors that failed are named all the same."""
    bare = Explanation(
        agent_id="a",
        process=FOUND.process,
        outcome=FOUND.outcome,
        first_at=1.0,
        last_at=1.0,
        attestors=FOUND.attestors[2:],
    )
    propose(bare, 7, "text")
    told = capsys.readouterr().out
    assert "no attestor found a selector" in told
    assert "docker failed" in told
    assert "--select" not in told


def test_a_choice_is_one_selector() -> None:
    """By its beginning, or in full; what is named has to be there, unless it is hidden."""
    found = proposals(FOUND)
    assert chosen(found, ["unix:uid", "strange:x:y"], ()) == ["unix:uid:1000", "strange:x:y"]
    named = chosen(found, ["unix:uid"], ["unix:uid:1000", "strange:env:A=secret"])
    assert named == ["unix:uid:1000", "strange:env:A=secret"]
    for choices, wanted, words in (
        (["unix:u"], [], "has no selector unix:u"),
        (["unix:supplementary_gid"], [], "is the beginning of several"),
        (["strange:env"], [], "is never shown"),
        ([], ["unix:uid:1"], "has no selector unix:uid:1"),
        ([], ["strange:env:B=secret"], "has no selector"),
    ):
        with pytest.raises(click.UsageError) as caught:
            chosen(found, choices, wanted)
        assert words in str(caught.value)
    with pytest.raises(click.UsageError, match="it has none"):
        chosen([], ["unix:uid"], [])
