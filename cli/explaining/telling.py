"""An explanation as text: what came of it, why, what to do, and then everything it rests on."""

from collections.abc import Iterable, Iterator, Sequence

import click

from cli.printing import instant, plain, print_table
from finial.explain.explanation import (
    AttestorReport,
    Elsewhere,
    EntryReport,
    Explanation,
    MissingSelector,
    Outcome,
)

_DONE = (Outcome.SERVED, Outcome.REFUSED)


def tell(explanation: Explanation) -> None:
    """Print an explanation for a person; nothing in it is obeyed by a terminal."""
    for line in lines(explanation):
        click.echo(plain(line))


def tell_refusals(refusals: Sequence[Explanation]) -> None:
    """Print the newest refusals as a table."""
    rows = [
        {
            "refusal": each.refusal,
            "at": instant(int(each.last_at)),
            "count": each.count,
            "pid": each.process.pid or "",
            "uid": each.process.uid,
            "method": each.method,
            "reason": each.reason,
            "exe": each.process.exe,
        }
        for each in refusals
    ]
    columns = {
        "refusal": "REFUSAL",
        "at": "LAST AT",
        "count": "TIMES",
        "pid": "PID",
        "uid": "UID",
        "exe": "PROGRAM",
        "reason": "REASON",
    }
    print_table(rows, columns, "nobody was refused since the agent started")


def lines(explanation: Explanation) -> Iterator[str]:
    """The lines of an explanation."""
    yield from _head(explanation)
    yield from _section("Why", explanation.causes)
    if explanation.fixes:
        yield from ("", "What to do")
        for fix in explanation.fixes:
            yield f"  - {fix.what}"
            if fix.command:
                yield f"      {fix.command}"
    if explanation.attestors:
        yield from ("", "What was found")
        for report in explanation.attestors:
            yield from _attestor(report)
    yield from _entries("Entries that match", explanation.matches)
    yield from _entries("Entries that come nearest", explanation.nearest)
    if explanation.elsewhere:
        yield from ("", "Entries that this agent does not have")
        for each in explanation.elsewhere:
            yield from _elsewhere(each)
    if explanation.shortened:
        yield from (
            "",
            "There is more to tell: what is very long, or one of very many, is left out.",
        )


def _head(explanation: Explanation) -> Iterator[str]:
    process = explanation.process
    name = f"process {process.pid}" if process.pid else "a process that cannot be seen"
    program = f", {process.exe}" if process.exe else ""
    yield f"{name}{program}, uid {process.uid}, gid {process.gid}"
    times = f"{explanation.count} times, last " if explanation.count > 1 else ""
    when = f" {times}at {instant(int(explanation.last_at))}" if _is_past(explanation) else ""
    call = f" by {explanation.method}" if explanation.method else ""
    yield f"{explanation.outcome.value}{when}{call}"
    if explanation.reason:
        yield f"told: {explanation.reason}"
    if explanation.refusal:
        yield f"refusal {explanation.refusal}"
    if explanation.agent_id:
        yield f"agent {explanation.agent_id}"


def _is_past(explanation: Explanation) -> bool:
    return explanation.outcome in _DONE


def _section(title: str, sentences: Iterable[str]) -> Iterator[str]:
    numbered = [f"  {number}. {each}" for number, each in enumerate(sentences, 1)]
    if numbered:
        yield from ("", title, *numbered)


def _attestor(report: AttestorReport) -> Iterator[str]:
    why = f": {report.detail}" if report.detail else ""
    yield f"  {report.name}  {report.status}{why}"
    for selector in report.selectors:
        yield f"      {selector}"
    for name, value in report.facts:
        yield f"      ({name}: {value})"
    for remark in report.remarks:
        yield f"      ({remark})"


def _entries(title: str, entries: Sequence[EntryReport]) -> Iterator[str]:
    if entries:
        yield from ("", title)
    for entry in entries:
        yield from _entry(entry)


def _entry(entry: EntryReport) -> Iterator[str]:
    yield f"  {entry.id}  {entry.spiffe_id}"
    missing = {each.wanted for each in entry.missing}
    for selector in entry.selectors:
        if selector not in missing:
            yield f"      has    {selector}"
    for each in entry.missing:
        yield from _missing(each)
    if entry.state:
        yield f"      {entry.state}"


def _missing(missing: MissingSelector) -> Iterator[str]:
    yield f"      lacks  {missing.wanted}"
    if missing.closest:
        yield f"      found  {missing.closest}"
    if missing.why:
        yield f"             {missing.why}"


def _elsewhere(elsewhere: Elsewhere) -> Iterator[str]:
    yield from _entry(elsewhere.entry)
    yield f"      parent {elsewhere.parent_id}"
    yield f"      {elsewhere.why}"
