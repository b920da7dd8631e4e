"""How an explanation is told to people, and who is asked for it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import root
from cli.explaining.telling import lines, tell, tell_refusals
from finial.explain.explanation import (
    AttestorReport,
    Elsewhere,
    EntryReport,
    Explanation,
    Fix,
    MissingSelector,
    Outcome,
    ProcessReport,
)

WANTED = "docker:label:app:web"
ENTRY = EntryReport(
    id="web",
    spiffe_id="spiffe://example.org/web",
    selectors=(WANTED, "unix:uid:1000"),
    missing=(
        MissingSelector(
            wanted=WANTED, closest="docker:label:app:webb", why="docker:label app is 'webb'"
        ),
    ),
    state="its SVID is not signed",
)
WHOLE = Explanation(
    agent_id="spiffe://example.org/spire/agent/a",
    process=ProcessReport(pid=7, uid=1000, gid=100, exe="/usr/bin/web"),
    outcome=Outcome.REFUSED,
    first_at=0.0,
    last_at=60.0,
    count=3,
    method="FetchX509SVID",
    reason="no identity issued",
    refusal="k3vq7d2a",
    attestors=(
        AttestorReport(
            name="unix",
            status="attested",
            selectors=("unix:uid:1000",),
            facts=(("unit", "web.service"),),
            remarks=("the program cannot be looked at",),
        ),
        AttestorReport(name="docker", status="failed", detail="no engine answers"),
    ),
    matches=(EntryReport(id="m", spiffe_id="spiffe://example.org/m"),),
    nearest=(ENTRY,),
    elsewhere=(Elsewhere(entry=ENTRY, parent_id="spiffe://example.org/p", why="another node"),),
    causes=("one", "two"),
    fixes=(Fix(what="change it", command="finial entry update web"), Fix(what="or wait")),
)


def test_everything_has_its_place() -> None:
    """What came of it, why, what to do, what was found, and which entries were compared."""
    assert list(lines(WHOLE)) == [
        "process 7, /usr/bin/web, uid 1000, gid 100",
        "refused 3 times, last at 1970-01-01T00:01:00Z by FetchX509SVID",
        "told: no identity issued",
        "refusal k3vq7d2a",
        "agent spiffe://example.org/spire/agent/a",
        "",
        "Why",
        "  1. one",
        "  2. two",
        "",
        "What to do",
        "  - change it",
        "      finial entry update web",
        "  - or wait",
        "",
        "What was found",
        "  unix  attested",
        "      unix:uid:1000",
        "      (unit: web.service)",
        "      (the program cannot be looked at)",
        "  docker  failed: no engine answers",
        "",
        "Entries that match",
        "  m  spiffe://example.org/m",
        "",
        "Entries that come nearest",
        "  web  spiffe://example.org/web",
        "      has    unix:uid:1000",
        "      lacks  docker:label:app:web",
        "      found  docker:label:app:webb",
        "             docker:label app is 'webb'",
        "      its SVID is not signed",
        "",
        "Entries that this agent does not have",
        "  web  spiffe://example.org/web",
        "      has    unix:uid:1000",
        "      lacks  docker:label:app:web",
        "      found  docker:label:app:webb",
        "             docker:label app is 'webb'",
        "      its SVID is not signed",
        "      parent spiffe://example.org/p",
        "      another node",
    ]


def test_what_would_be_has_no_past() -> None:
    """A process that was looked at now has neither a time nor a refusal."""
    short = Explanation(
        agent_id="a",
        process=ProcessReport(pid=0, uid=1, gid=2),
        outcome=Outcome.WOULD_BE_REFUSED,
        first_at=1.0,
        last_at=1.0,
    )
    assert list(lines(short)) == [
        "a process that cannot be seen, uid 1, gid 2",
        "would be refused",
        "agent a",
    ]


def test_no_label_gives_a_terminal_orders(capsys: pytest.CaptureFixture[str]) -> None:
    """Labels, names and commands that hold escapes or line feeds stay on their line."""
    orders = "\x1b]0;owned\x07\n  - run this\r\x9b2J\u202e"
    evil = Explanation(
        agent_id=orders,
        process=ProcessReport(pid=1, uid=1, gid=1, exe=orders),
        outcome=Outcome.REFUSED,
        first_at=1.0,
        last_at=1.0,
        reason=orders,
        refusal=orders,
        attestors=(
            AttestorReport(
                name=orders,
                status=orders,
                selectors=(orders,),
                facts=((orders, orders),),
                remarks=(orders,),
                detail=orders,
            ),
        ),
        nearest=(EntryReport(id=orders, spiffe_id=orders, selectors=(orders,), state=orders),),
        causes=(orders,),
        fixes=(Fix(what=orders, command=orders),),
    )
    tell(evil)
    tell_refusals([evil])
    printed = capsys.readouterr().out.split("\n")
    assert all(line.isprintable() for line in printed)
    assert not any(line.startswith("  - run this") for line in printed)


def test_no_refusals_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list says that nobody was refused."""
    tell_refusals([])
    assert "nobody was refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["explain"], 2, "name one of"),
        (["explain", "--pid", "1", "--refusal", "x"], 2, "name one of"),
        (["explain", "--pid", "0"], 2, "Invalid value"),
        (["simulate"], 2, "Missing option"),
        (["explain", "--pid", "1", "--admin-socket", "tcp://1.2.3.4:5"], 2, "unix:///"),
        (["explain", "--pid", "1", "--agent", "x509pop/1"], 2, "where is the server"),
        (["explain", "--self"], 2, "where is the Workload API"),
    ],
)
def test_wrong_usage_says_what_is_missing(arguments: list[str], status: int, said: str) -> None:
    """Whoever names nothing, too much or no place is told what to name."""
    result = CliRunner().invoke(root, arguments, env={"FINIAL_DIR": "", "FINIAL_SERVER": ""})
    assert (result.exit_code, said in result.output) == (status, True)


def test_an_agent_that_is_away_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 4, and what to try, as text and as JSON."""
    from cli.outcome import UNREACHABLE, run

    for command in (
        ["explain", "--pid", "1"],
        ["explain", "--last-refusals"],
        ["explain", "--self"],
    ):
        assert run(root, [*command, "--dir", str(tmp_path), "--output", "json"]) == UNREACHABLE
        error = json.loads(capsys.readouterr().err)["error"]
        assert "finial doctor" in error["remedy"]
