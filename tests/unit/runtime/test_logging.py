"""Log lines that nobody outside can forge or colour, and the audit log."""

import io
import json
import logging
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from finial.runtime.reporting.audit import AuditLog
from finial.runtime.reporting.logging import Format, neutralise, setup


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("plain /path-1", "plain /path-1"),
        ("a\nb\r\x00", "a\\nb\\r\\x00"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u2028b", "a\\u2028b"),
        ("\x9b1m", "\\x9b1m"),
        ("grüße 日本", "grüße 日本"),
        ("\udc80", "\\udc80"),
    ],
)
def test_a_text_cannot_leave_its_line(text: str, harmless: str) -> None:
    """Control characters, terminal escapes and reordering become visible, letters stay."""
    assert neutralise(text) == harmless


def lines(form: Format, level: str = "info") -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    setup(level, form, stream)
    return stream, logging.getLogger("finial.example")


def test_a_line_is_for_people() -> None:
    """A line has an instant in UTC, a level, the room and what happened."""
    stream, log = lines("text")
    log.info("entry %s created\n", "a")
    log.debug("not shown")
    instant, level, rest = stream.getvalue().split(maxsplit=2)
    assert instant.endswith("Z")
    assert (level, rest) == ("INFO", "example  entry a created\\n\n")


def test_an_exception_stands_below_its_line() -> None:
    """Where an exception came from is told on indented lines, which no message can imitate."""
    stream, log = lines("text")
    try:
        raise ValueError("wrong\n2026 INFO forged")
    except ValueError:
        log.exception("failed")
    first, *below = stream.getvalue().splitlines()
    assert first.endswith("failed")
    assert below
    assert all(each.startswith("    ") for each in below)


def test_a_line_is_for_machines() -> None:
    """In format json a line is one object, whatever the message holds."""
    stream, log = lines("json")
    try:
        raise ValueError("wrong")
    except ValueError:
        log.warning("a\nb\x1b", exc_info=True)
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert found["message"] == "a\nb\x1b"
    assert (found["level"], found["logger"]) == ("warning", "finial.example")
    assert "ValueError: wrong" in found["trace"]


def test_an_unknown_level_is_refused() -> None:
    """A level that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match="debug, info"):
        setup("loud")


def test_an_audit_record_is_one_line(tmp_path: Path) -> None:
    """A record is one line of ASCII, and is there when `write` returns."""
    with AuditLog(tmp_path / "audit.log") as log:
        log.write({"who": "a\nb\x1b[31m", "when": 1})
        log.write({"who": "ü"})
        content = (tmp_path / "audit.log").read_bytes()
    assert content.isascii()
    assert b"\x1b" not in content
    assert [json.loads(line)["who"] for line in content.splitlines()] == ["a\nb\x1b[31m", "ü"]
    assert (tmp_path / "audit.log").stat().st_mode & 0o007 == 0


def test_an_audit_log_goes_on_where_it_was(tmp_path: Path) -> None:
    """A log is appended to, and `reopen` makes a new file after the old one was moved away."""
    path = tmp_path / "audit.log"
    with AuditLog(path) as log:
        log.write({"n": 1})
    with AuditLog(path) as log:
        log.write({"n": 2})
        path.rename(tmp_path / "old.log")
        log.reopen()
        log.write({"n": 3})
    assert (tmp_path / "old.log").read_bytes().count(b"\n") == 2
    assert path.read_bytes() == b'{"n":3}\n'


def test_an_audit_log_may_be_a_stream() -> None:
    """Without a file, records go to the stream that was given."""
    stream = io.StringIO()
    AuditLog(stream=stream).write({"n": 1})
    assert stream.getvalue() == '{"n":1}\n'


def test_an_audit_log_that_cannot_be_written_says_so() -> None:
    """A record that is not in the log is an OSError, so that the act is refused."""
    log = AuditLog(Path("/dev/full"))
    with pytest.raises(OSError, match="No space"):
        log.write({"n": 1})


def test_an_audit_log_on_a_nearly_full_disk_says_so_before_the_act() -> None:
    """An act is refused before it has effects when less than 1 MiB is left for its record."""
    with AuditLog(Path("/proc/self/comm")) as log, pytest.raises(OSError, match="less than 1 MiB"):
        log.check_room()


def test_an_audit_log_with_room_lets_acts_begin(tmp_path: Path) -> None:
    """A log on a disk with room, and one that is a stream, say nothing."""
    with AuditLog(tmp_path / "audit.log") as log:
        log.check_room()
    AuditLog(stream=io.StringIO()).check_room()


def test_half_a_record_is_taken_back(tmp_path: Path) -> None:
    """A record that fits only in part leaves no part of itself behind."""
    pid = os.fork()
    if pid == 0:  # the limit on file sizes binds the whole process
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
        log = AuditLog(tmp_path / "audit.log")
        log.write({"n": 1})
        try:
            log.write({"text": "much too long"})
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "audit.log").read_bytes() == b'{"n":1}\n'
