"""What a command prints: text for people, one JSON document for programs."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Document = Mapping[str, Any]


def output_option(command: F) -> F:
    """Give a command `--output text|json`."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Text for people, or one JSON document for programs.",
    )(command)


def print_json(document: object) -> None:
    """Print one JSON document on one line, which no terminal obeys."""
    line = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if not line.isprintable():  # JSON lets pass what terminals know beyond ASCII
        line = json.dumps(document, separators=(",", ":")).replace("\x7f", "\\u007f")
    click.echo(line)


def print_fields(document: Document, labels: Mapping[str, str]) -> None:
    """Print the fields that are set, one a line, under their labels."""
    shown = [(label, document.get(name)) for name, label in labels.items()]
    shown = [(label, value) for label, value in shown if value not in (None, "", [], {}, False)]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        for part in value if isinstance(value, list) else [value]:
            click.echo(f"{label:<{width}}  {plain(part)}")


def print_table(rows: Sequence[Document], columns: Mapping[str, str], none: str) -> None:
    """Print rows under headings, or the sentence that says there are none."""
    if not rows:
        click.echo(none)
        return
    cells = [[plain(row.get(name, "")) for name in columns] for row in rows]
    heads = list(columns.values())
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    for line in [heads, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def plain(value: object) -> str:
    """Write a value as text that no terminal obeys."""
    match value:
        case None:
            return ""
        case True:
            return "yes"
        case False:
            return "no"
        case dict():
            text = ", ".join(f"{name}={plain(part)}" for name, part in value.items())
        case list() | tuple():
            text = ", ".join(plain(part) for part in value)
        case _:
            text = str(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def instant(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")
