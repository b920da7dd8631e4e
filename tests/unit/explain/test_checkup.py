"""The judgements that both programs and the command share."""

import pytest

from finial.explain.checkup import (
    failed,
    judge_audit_log,
    judge_clock,
    judge_descriptors,
    judge_renewal,
    judge_room,
    many,
    ok,
    size,
    some,
    span,
    warning,
    worst,
)
from finial.explain.diagnosis import Health

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3660, "1 h 1 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_span_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    """What is smaller is left out, and nothing at all is 0 s."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (200 * MIB, "200 MiB"),
        (5 * 1024**4, "5.0 TiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_a_size_is_written_in_a_unit_that_fits(count: int, text: str) -> None:
    """Three digits are enough to see how much it is."""
    assert size(count) == text


def test_numbers_and_names_read_well() -> None:
    """One thing is not plural, and of many names a few are said."""
    assert many(1, "entry", "entries") == "1 entry"
    assert many(2, "entry", "entries") == "2 entries"
    assert many(0, "agent") == "0 agents"
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_the_whole_is_as_well_as_its_worst_part() -> None:
    """One failure makes a failure, one warning a warning, nothing at all is well."""
    assert worst([]) is Health.OK
    assert worst([ok("a", ""), warning("b", "")]) is Health.WARNING
    assert worst([failed("c", ""), warning("b", ""), ok("a", "")]) is Health.FAILED


@pytest.mark.parametrize(
    ("free", "files", "health"),
    [
        (1024 * MIB, None, Health.OK),
        (1024 * MIB, 5000, Health.OK),
        (1024 * MIB, 3, Health.FAILED),
        (200 * MIB, None, Health.WARNING),
        (MIB, None, Health.FAILED),
    ],
)
def test_a_disk_is_full_by_bytes_or_by_files(free: int, files: int | None, health: Health) -> None:
    """Before the last bytes are gone it is said; a disk without room for files is full, too."""
    found = judge_room("disk", "/srv", free, files)
    assert found.health is health
    assert bool(found.remedy) is (health is not Health.OK)


@pytest.mark.parametrize(
    ("offset", "health", "words"),
    [
        (0.3, Health.OK, "differ by 0.3 s"),
        (-1.9, Health.OK, "differ by 1.9 s"),
        (4, Health.WARNING, "4 s behind the server's"),
        (-4, Health.WARNING, "4 s ahead of the server's"),
        (30, Health.FAILED, "not valid yet here"),
        (-3700, Health.FAILED, "end early here"),
    ],
)
def test_clocks_may_differ_by_what_certificates_are_backdated(
    offset: float, health: Health, words: str
) -> None:
    """Beyond ten seconds a new SVID is not valid yet where the clock is behind."""
    found = judge_clock("clock", offset)
    assert found.health is health
    assert words in found.detail


@pytest.mark.parametrize(
    ("now", "health", "words"),
    [
        (10, Health.OK, "is good for 1 min 30 s and is replaced in 40 s"),
        (80, Health.OK, "is being replaced"),
        (111, Health.WARNING, "should have been replaced 1 min 1 s ago"),
        (115, Health.FAILED, "expired 5 s ago"),
    ],
)
def test_a_renewal_has_a_minute_before_anybody_worries(
    now: float, health: Health, words: str
) -> None:
    """Something due is being replaced; overdue for more than a minute is a warning."""
    end = 100.0 if now in (10, 80) else 110.0 if now == 115 else 1000.0
    found = judge_renewal("svid", "it", now=now, due=50.0, end=end, remedy="look")
    assert found.health is health
    assert words in found.detail


@pytest.mark.parametrize(
    ("used", "limit", "health"),
    [(20, 20_000, Health.OK), (20, 1024, Health.WARNING), (900, 1024, Health.FAILED)],
)
def test_descriptors_run_out(used: int, limit: int, health: Health) -> None:
    """Few are a warning, and nearly all in use is a failure."""
    assert judge_descriptors("open files", used, limit).health is health


def test_an_audit_log_is_full_or_gone() -> None:
    """One that was moved away takes records that nobody finds."""
    assert judge_audit_log("a", "/log", "", exists=True).health is Health.OK
    assert judge_audit_log("a", "/log", "", exists=False).health is Health.WARNING
    assert judge_audit_log("a", "/log", "full", exists=True).health is Health.FAILED
