"""The table: each figure of both programs, their ratio, and the aim."""

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.aims import AIMS
from benchmarks.meter import Spread

RESULTS = Path(__file__).parent / "RESULTS.md"
MAIN, ATTESTING, ACCESS = "the table", "the table of attestation", "the table of access"
"""RESULTS.md has three tables, measured at different times; the tool writes between their marks."""

Figures = dict[str, list[float]]
Found = dict[str, dict[str, Figures]]
"""By measure, by peer, by figure: the value of each round."""


def render(found: Found) -> str:
    """Write the table in Markdown."""
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {machine()}. Median, with the least and the greatest where "
        "there were several rounds.",
        "",
        "| measure | figure | finial | SPIRE | finial / SPIRE | aim | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for measure, peers in found.items():
        lines += _rows(measure, peers)
    return "\n".join(lines) + "\n"


def store(name: str, table: str) -> None:
    """Put a table into RESULTS.md, in the place of the former one of that name."""
    begin, end = f"<!-- {name}, written by the tool -->\n", f"<!-- the end of {name} -->\n"
    before, found, rest = RESULTS.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    assert found, f"RESULTS.md has no place for {name}"
    assert ended, f"{name} has no end in RESULTS.md"
    RESULTS.write_text(f"{before}{begin}\n{table}\n{end}{after}")


def _rows(measure: str, peers: dict[str, Figures]) -> Iterator[str]:
    ours, theirs = peers.get("finial", {}), peers.get("SPIRE", {})
    for figure in {**ours, **theirs}:
        own, other = _spread(ours, figure), _spread(theirs, figure)
        aim = AIMS.get((measure, figure))
        cells = [
            measure,
            figure,
            _show(own),
            _show(other),
            f"{own.median / other.median:.2f}" if own and other and other.median else "",
            str(aim or ""),
            ("yes" if aim.is_met(own.median) else "**no**") if aim and own else "",
        ]
        yield f"| {' | '.join(cells)} |"


def _spread(figures: Figures, figure: str) -> Spread | None:
    values = figures.get(figure)
    return Spread(tuple(values)) if values else None


def _show(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if all(float(value).is_integer() for value in spread.values):
        return spread.show(0)
    bounds = ((100, 0), (10, 1), (1, 2))
    return spread.show(next((digits for least, digits in bounds if spread.median >= least), 3))


def machine() -> str:
    """The machine and its versions, in a line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}"
    )
