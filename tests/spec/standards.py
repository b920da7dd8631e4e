"""Writes docs/standards.md: each requirement of the SPIFFE standards, and the tests that cite it.

Run it as `python -m tests.spec.standards` after adding a test or a requirement.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LIST = Path(__file__).with_name("requirements.txt")
PAGE = ROOT / "docs" / "standards.md"
OUT_OF_SCOPE = "out of scope"

_ROW = re.compile(r"\b(?:SPF|STB|ID|X509|JWT|TDB|WEP|WAPI|WIT|FED|BEP|BAPI)-\d{2}\b")
_BINDS = {"S", "P", "A", "F", "V"}

_HEAD = """# The standards, rule by rule

Every rule of the SPIFFE standards that binds this project, and the tests that hold it to them.
`python -m tests.spec.standards` writes this page from `tests/spec/requirements.txt` and from the
sentences of the tests; a test fails when it is out of date, and when a rule has no test.

Whom a rule binds: **S** who issues (the server), **P** who publishes bundles, **A** who serves the
Workload API (the agent), **F** who consumes foreign bundles, **V** who verifies an SVID.
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One rule; one that may wait for its test is `awaited`."""

    id: str
    level: str
    sentence: str
    binds: str
    place: str
    awaited: bool


@dataclass(frozen=True, slots=True)
class Standards:
    """All rules by the standard they come from, and what is left out, with the reason."""

    sections: Mapping[str, tuple[Requirement, ...]]
    left_out: tuple[tuple[str, str], ...]

    def requirements(self) -> Iterator[Requirement]:
        """Every rule in the order of the list."""
        for section in self.sections.values():
            yield from section


def read_standards(text: str) -> Standards:
    """Read the list of requirements."""
    sections: dict[str, list[Requirement]] = {}
    left_out: list[tuple[str, str]] = []
    heading = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            heading = line.strip("[]")
        elif heading == OUT_OF_SCOPE:
            ids, _, why = line.partition(" | ")
            left_out.append((ids, why))
        else:
            sections.setdefault(heading, []).append(_requirement(line))
    return Standards({name: tuple(rows) for name, rows in sections.items()}, tuple(left_out))


def citations(folder: Path) -> Mapping[str, Sequence[str]]:
    """Which tests cite which rule in their first sentence: `tests/x/test_y.py::test_z`."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for test, sentence in _tests(ast.parse(path.read_text("utf-8"))):
            for row in sorted(set(_ROW.findall(sentence))):
                found.setdefault(row, []).append(f"{path.relative_to(ROOT)}::{test}")
    return found


def render(standards: Standards, cited: Mapping[str, Sequence[str]]) -> str:
    """Write the page."""
    lines = [_HEAD]
    for name, rows in standards.sections.items():
        lines += [f"## {name}", "", "| rule | | binds | what it asks | kept in | tests |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [_line(row, cited.get(row.id, ())) for row in rows]
        lines.append("")
    lines += ["## Out of scope", "", "| rules | why |", "|---|---|"]
    lines += [f"| {ids} | {why} |" for ids, why in standards.left_out]
    return "\n".join(lines) + "\n"


def current_page() -> str:
    """The page as it has to be now."""
    return render(read_standards(LIST.read_text("utf-8")), citations(ROOT / "tests"))


def _requirement(line: str) -> Requirement:
    fields = line.split(" | ")
    awaited = fields[5:] == ["later"]
    if len(fields) != 5 + awaited or not set(fields[3].split()) <= _BINDS:
        raise ValueError(f"this is no requirement: {line}")
    id_, level, sentence, binds, place = fields[:5]
    return Requirement(id_, level, sentence, binds, place, awaited)


def _tests(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test"
        ):
            yield node.name, ast.get_docstring(node) or ""


def _line(row: Requirement, tests: Sequence[str]) -> str:
    by_file: dict[str, list[str]] = {}
    for test in tests:
        path, _, name = test.partition("::")
        by_file.setdefault(path, []).append(f"`{name}`")
    places = [
        f"[{path.removeprefix('tests/')}](../{path}): {', '.join(names)}"
        for path, names in by_file.items()
    ]
    shown = "<br>".join(places) or "*none yet*"
    return f"| {row.id} | {row.level} | {row.binds} | {row.sentence} | `{row.place}` | {shown} |"


if __name__ == "__main__":
    PAGE.write_text(current_page(), "utf-8")
