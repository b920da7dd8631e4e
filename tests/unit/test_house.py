"""The sizes of the house: no file and no function outgrows one reader's attention unexplained."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "finial" / "wire" / "pb"
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70
REASON = "# long because: "


def sources(folder: Path) -> Iterator[Path]:
    """Our own Python files; what tools left behind has a name with a dot or underscores."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__pycache__")) or path == GENERATED:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from sources(path)
        elif path.suffix == ".py":
            yield path


def gives_a_reason(line: str) -> bool:
    _, mark, reason = line.partition(REASON)
    return bool(mark and reason.strip(' "'))


def too_long(text: str) -> Iterator[str]:
    """What of this source is longer than allowed without saying why."""
    lines = text.splitlines()
    tree = ast.parse(text)
    if len(lines) > MOST_LINES_OF_A_FILE:
        described = (ast.get_docstring(tree) or "").splitlines()
        if not gives_a_reason("".join(described[-1:])):
            yield f"has {len(lines)} lines"
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        above = lines[first - 2] if first > 1 else ""
        if length > MOST_LINES_OF_A_FUNCTION and not gives_a_reason(above):
            yield f"has {length} lines in {node.name}"


def test_nothing_is_longer_than_allowed() -> None:
    """A file has at most 400 lines and a function at most 70, or a reason stands above it."""
    paths = list(sources(ROOT))
    assert Path(__file__) in paths
    found = [
        f"{path.relative_to(ROOT)} {excess}"
        for path in paths
        for excess in too_long(path.read_text(encoding="utf-8"))
    ]
    assert found == []


LONG = "def f():\n" + "    x = 1\n" * 70
SHORT = "def f():\n" + "    x = 1\n" * 69


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SHORT, []),
        (LONG, ["has 71 lines in f"]),
        (f"async {LONG}", ["has 71 lines in f"]),
        (f"{REASON}one table\n{LONG}", []),
        (f"{REASON}one table\n@cache\n{LONG}", []),
        (f"{REASON}\n{LONG}", ["has 71 lines in f"]),
        (f"{REASON}one table\n\n{LONG}", ["has 71 lines in f"]),
        ("x = 1\n" * 400, []),
        ("x = 1\n" * 401, ["has 401 lines"]),
        ('"""A table."""\n' + "x = 1\n" * 400, ["has 401 lines"]),
        (f'"""A table.\n\n{REASON}one row a rule\n"""\n' + "x = 1\n" * 400, []),
    ],
    ids=range(11),
)
def test_only_a_reason_allows_more(text: str, found: list[str]) -> None:
    """The reason is in the line above a function, or in the last line of a file's docstring."""
    assert list(too_long(text)) == found
