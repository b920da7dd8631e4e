"""Judgements that server, agent and command share: measurements come in, diagnoses go out.

Nothing here measures. Amounts are bytes and seconds, instants Unix seconds.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from finial.explain.diagnosis import Diagnosis, Health
from finial.spiffe.validity import BACKDATE

NO_ROOM: Final = 16 * 1024 * 1024
LITTLE_ROOM: Final = 256 * 1024 * 1024
FEW_FILES: Final = 1000
CLOCKS_DIFFER: Final = 2.0
OVERDUE: Final = 60.0
"""So many seconds a renewal may take before somebody should look."""
FEW_DESCRIPTORS: Final = 4096
_NEARLY_ALL: Final = 0.8
_NAMED: Final = 5
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def ok(check: str, detail: str) -> Diagnosis:
    """Say that something is well."""
    return Diagnosis(check=check, health=Health.OK, detail=detail)


def warning(check: str, detail: str, remedy: str = "") -> Diagnosis:
    """Say that something needs a look, and works."""
    return Diagnosis(check=check, health=Health.WARNING, detail=detail, remedy=remedy)


def failed(check: str, detail: str, remedy: str = "") -> Diagnosis:
    """Say that something does not work."""
    return Diagnosis(check=check, health=Health.FAILED, detail=detail, remedy=remedy)


def worst(diagnoses: Iterable[Diagnosis]) -> Health:
    """The health of the whole is that of its worst part."""
    found = {each.health for each in diagnoses}
    return next((each for each in (Health.FAILED, Health.WARNING) if each in found), Health.OK)


def judge_room(check: str, place: str, free: int, files: int | None = None) -> Diagnosis:
    """Judge what is left on a disk: so many bytes, and so many files where that is bounded."""
    detail = f"{size(free)} are free for {place}"
    if free < NO_ROOM:
        return failed(check, detail, "make room: what cannot be stored or audited is refused")
    if files is not None and files < FEW_FILES:
        return failed(check, f"{files} more files fit on the disk of {place}", "delete files")
    if free < LITTLE_ROOM:
        return warning(check, detail, "make room before it is full")
    return ok(check, detail)


def judge_audit_log(check: str, place: str, fault: str, *, exists: bool) -> Diagnosis:
    """Judge whether acts can be recorded; what cannot be is refused."""
    if fault:
        return failed(check, f"nothing can be recorded in {place}: {fault}", "make room for it")
    if not exists:
        return warning(
            check,
            f"{place} was moved or removed, and what happens is written where nobody finds it",
            "restart the program; rotate the log by copying and truncating it",
        )
    return ok(check, f"{place} takes records")


def judge_clock(check: str, offset: float) -> Diagnosis:
    """Judge by how many seconds the server's clock is ahead of this node's."""
    remedy = "let both machines set their clocks, such as by: timedatectl set-ntp true"
    if abs(offset) < CLOCKS_DIFFER:
        return ok(check, f"this node's clock and the server's differ by {abs(offset):.1f} s")
    side = "behind" if offset > 0 else "ahead of"
    detail = f"this node's clock is {span(abs(offset))} {side} the server's"
    if abs(offset) < BACKDATE:
        return warning(check, detail, remedy)
    effect = (
        "what the server issues is not valid yet here"
        if offset > 0
        else "SVIDs and tokens seem to end early here"
    )
    return failed(check, f"{detail}: {effect}", remedy)


def judge_renewal(
    check: str, what: str, *, now: float, due: float, end: float, remedy: str
) -> Diagnosis:
    """Judge something that is due to be replaced at one instant and worthless after another."""
    if end <= now:
        return failed(check, f"{what} expired {span(now - end)} ago", remedy)
    left = f"{what} is good for {span(end - now)}"
    if now <= due + OVERDUE:
        when = f"is replaced in {span(due - now)}" if due > now else "is being replaced"
        return ok(check, f"{left} and {when}")
    return warning(check, f"{left} and should have been replaced {span(now - due)} ago", remedy)


def judge_descriptors(check: str, used: int, limit: int) -> Diagnosis:
    """Judge how many descriptors a process has open, of those that it may have."""
    detail = f"{used} of {limit} descriptors are open"
    remedy = "raise the limit, such as by LimitNOFILE=524288 in the unit"
    if used > limit * _NEARLY_ALL:
        return failed(check, detail, remedy)
    if limit < FEW_DESCRIPTORS:
        return warning(check, f"{detail}, and each connection needs one or two", remedy)
    return ok(check, detail)


def some(names: Sequence[str]) -> str:
    """Name a few of many."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def many(count: int, one: str, several: str = "") -> str:
    """Write a number with its noun, such as `1 entry`; a plural by s need not be given."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def span(seconds: float) -> str:
    """Write a span of time in its two largest units, such as `1 h 5 min`."""
    left = max(round(seconds), 0)
    parts = []
    for length, unit in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def size(count: int) -> str:
    """Write a number of bytes, such as `1.5 GiB`."""
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
