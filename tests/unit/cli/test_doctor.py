"""What `finial doctor` finds by itself, and how it says so."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import root
from cli.doctor.asking import away
from cli.doctor.configuration import judge_agent_file, judge_server_file
from cli.doctor.report import print_found
from cli.doctor.sides import Named, find_sides
from cli.doctor.sockets import judge_socket
from cli.place import Place
from finial.explain.checkup import failed, ok, warning
from finial.explain.diagnosis import Diagnosis, Health
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.programs import short_folder

AGENT = '[agent]\ntrust_domain = "example.org"\ndata_dir = "{}"\n'
SERVER = '[server]\ntrust_domain = "example.org"\ndata_dir = "{}"\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


def listening(path: Path, mode: int) -> socket.socket:
    """A socket that listens there."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    path.chmod(mode)
    return made


def judged(path: Path, *, everybody: bool = True) -> Diagnosis:
    """The first thing that is said of it."""
    return next(judge_socket("socket", path, everybody=everybody, start="finial agent run"))


def test_a_socket_that_is_as_it_should_be(folder: Path) -> None:
    """Everybody may use a workload's socket, nobody else an administrator's."""
    with listening(folder / "w", 0o777), listening(folder / "a", 0o600):
        assert judged(folder / "w").health is Health.OK
        assert "mode 0777" in judged(folder / "w").detail
        assert judged(folder / "a", everybody=False).health is Health.OK


def test_a_socket_with_the_wrong_mode_is_found(folder: Path) -> None:
    """WEP-04: what everybody needs and cannot use, and what everybody can use and must not."""
    with listening(folder / "w", 0o770), listening(folder / "a", 0o666):
        closed, opened = judged(folder / "w"), judged(folder / "a", everybody=False)
        assert (closed.health, opened.health) == (Health.FAILED, Health.FAILED)
        assert closed.remedy.startswith("chmod a+rw")
        assert opened.remedy.startswith("chmod o-rwx")


def test_what_is_no_socket_or_not_there_is_found(folder: Path) -> None:
    """The remedy is the command that makes the socket."""
    (folder / "file").touch()
    missing, wrong = judged(folder / "missing"), judged(folder / "file")
    assert "No such file" in missing.detail
    assert "finial agent run" in missing.remedy
    assert "is no socket" in wrong.detail


def test_a_folder_that_others_can_write_or_cannot_enter_is_found(folder: Path) -> None:
    """Whoever writes a folder can put a socket of theirs there; whoever cannot enter is not served."""
    below = folder / "open"
    below.mkdir()
    with listening(below / "w", 0o777):
        below.chmod(0o777)
        assert "can be written by others" in judged(below / "w").detail
        below.chmod(0o775)
        own = judged(below / "w")
        assert own.health is Health.WARNING
        assert "the socket's own group" in own.detail
        below.chmod(0o1777)
        assert judged(below / "w").health is Health.OK
        below.chmod(0o700)
        found = judged(below / "w")
        assert found.health is Health.WARNING
        assert "other users' workloads do not reach" in found.detail
        assert judged(below / "w", everybody=False).health is Health.FAILED  # 0777, for admins


def test_everything_wrong_with_a_socket_is_said(folder: Path) -> None:
    """Who mends one fault does not meet the next one afterwards; what fails stands first."""
    below = folder / "both"
    below.mkdir()
    with listening(below / "w", 0o700):
        below.chmod(0o770)
        found = list(judge_socket("socket", below / "w", everybody=True, start="start"))
    assert [each.health for each in found] == [Health.FAILED, Health.WARNING, Health.WARNING]
    remedies = " ".join(each.remedy for each in found)
    assert all(each in remedies for each in ("chmod a+rw", "chmod g-w", "chmod o+x"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_a_folder_of_another_user_is_found(folder: Path) -> None:
    """Its owner could put another socket in the place of ours."""
    below = folder / "theirs"
    below.mkdir()
    with listening(below / "w", 0o777):
        os.chown(below, 61_003, 61_003)
        found = judged(below / "w")
        assert found.health is Health.WARNING
        assert "belongs to uid 61003" in found.detail


def test_everything_wrong_in_a_configuration_is_said(folder: Path) -> None:
    """Each unknown key, with the nearest known one, is a check of its own that failed."""
    good, bad = folder / "good.toml", folder / "bad.toml"
    good.write_text(AGENT.format(folder))
    bad.write_text(SERVER.format(folder) + "ca_tll = 5\nbind_prot = 1\n")
    [fine] = judge_agent_file(good)
    assert fine.health is Health.OK
    good.chmod(0o666)
    [writable] = judge_agent_file(good)
    assert writable.health is Health.WARNING
    wrong = list(judge_server_file(bad))
    assert [each.health for each in wrong] == [Health.FAILED] * 2
    assert "did you mean ca_ttl?" in wrong[0].detail
    [missing] = judge_server_file(folder / "none.toml")
    assert "cannot be read" in missing.detail


def test_the_sides_are_found_by_what_a_folder_holds(folder: Path) -> None:
    """Only the programs that left something there are looked at."""
    empty = find_sides(Named(folder))
    assert (empty.agent, empty.server) == (None, None)
    (folder / "workload").mkdir()
    agent = find_sides(Named(folder)).agent
    assert agent is not None
    assert agent.socket == folder / "agent.sock"
    assert find_sides(Named(folder)).server is None
    (folder / "private").mkdir()
    (folder / "private/ca.toml").write_text(SERVER.format(folder / "elsewhere"))
    server = find_sides(Named(folder)).server
    assert server is not None
    assert server.place.socket == folder / "elsewhere/private/admin.sock"


def test_sides_that_are_named_are_taken_as_they_are(folder: Path) -> None:
    """A socket on the command line wins over the one that a file names."""
    file, broken = folder / "agent.toml", folder / "ca.toml"
    file.write_text(AGENT.format(folder))
    broken.write_text("[server]\n")
    place = Place(url="https://ca.example.org:8443")
    named = Named(None, folder / "other.sock", place, file, broken)
    sides = find_sides(named)
    assert sides.agent is not None
    assert sides.server is not None
    assert sides.agent.socket == folder / "other.sock"
    assert sides.server.place is place
    assert sides.server.settings is None
    unreadable = find_sides(Named(server_config=broken)).server
    assert unreadable is not None
    assert unreadable.place.socket == Path("/var/lib/finial/ca/private/admin.sock")


def test_who_does_not_answer_is_said_to_be_away_denying_or_old() -> None:
    """Each has another remedy."""
    start = "finial agent run"
    gone = away("agent", Refusal(Kind.UNAVAILABLE, "refused"), start)
    denied = away("agent", Refusal(Kind.DENIED, "uid 5", remedy="be root"), start)
    shut = away("server", Refusal(Kind.UNAVAILABLE, "[Errno 13] Permission denied"), start)
    old = away("agent", Refusal(Kind.UNIMPLEMENTED, "what?"), start)
    assert (gone.health, start in gone.remedy) == (Health.FAILED, True)
    assert (denied.health, denied.remedy) == (Health.FAILED, "be root")
    assert (shut.health, "as root" in shut.remedy) == (Health.FAILED, True)
    assert old.health is Health.WARNING


def test_text_obeys_no_stranger(capsys: pytest.CaptureFixture[str]) -> None:
    """What an attestor or a server says cannot reach the terminal as an escape."""
    print_found({"agent": [failed("a\x1b[2J", "b\x1b[31m", "c\n")]}, "text")
    shown = capsys.readouterr().out
    assert "\x1b[2J" not in shown
    assert "\x1b[31m" not in shown.replace("\x1b[31mfailed", "")
    assert "try: c\\n" in shown
    assert "1 check: 1 failed" in shown


def test_the_last_line_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads the last line first."""
    print_found({"agent": [ok("a", "x"), ok("b", "y")]}, "text")
    assert "2 checks: 2 ok" in capsys.readouterr().out
    print_found({"agent": [ok("a", "x"), warning("b", "y"), failed("c", "z")]}, "text")
    assert "3 checks: 1 failed, 1 with a warning, 1 ok" in capsys.readouterr().out


def test_both_programs_away_are_looked_at_from_outside(folder: Path) -> None:
    """Exit status 1, one JSON document, and what can be seen without either of them."""
    (folder / "workload").mkdir()
    (folder / "private").mkdir()
    (folder / "private/ca.toml").write_text(SERVER.format(folder))
    done = CliRunner().invoke(root, ["doctor", "--dir", str(folder), "--output", "json"])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    found = json.loads(done.stdout)
    assert found["health"] == "failed"
    by = {(each["side"], each["check"]): each for each in found["checks"]}
    assert by["server", "configuration"]["health"] == "ok"
    assert "it does not answer" in by["server", "server"]["detail"]
    assert "it does not answer" in by["agent", "agent"]["detail"]
    assert by["agent", "kernel"]["detail"].startswith("Linux ")
    assert by["server", "disk"]["detail"]


def test_nothing_to_look_at_is_wrong_usage(folder: Path) -> None:
    """Without a folder, a file or a socket there is no patient."""
    done = CliRunner().invoke(root, ["doctor", "--dir", str(folder)])
    assert done.exit_code == 2
    assert "neither an agent nor a server" in done.output
