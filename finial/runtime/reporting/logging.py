"""Log lines for people or machines, which nobody outside can forge or colour."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
Format = Literal["text", "json"]

# Bidirectional overrides and line separators: they reorder or split a line on a terminal.
_DECEIVING: Final = frozenset(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


def neutralise(text: str) -> str:
    """Make a text harmless to a terminal and keep it on one line.

    Control characters, terminal escapes and characters that reorder a line become `\\x1b` and the
    like; what is printable stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_harmless, text))


def _harmless(character: str) -> str:
    if character.isprintable() and character not in _DECEIVING:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class TextLines(logging.Formatter):
    """`2026-11-22T03:10:09.123Z INFO agent.sync  what happened`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one line, and below it, indented, where an exception came from."""
        line = (
            f"{_instant(record)} {record.levelname:<7} {record.name.removeprefix('finial.')}  "
            f"{neutralise(record.getMessage())}"
        )
        return "\n    ".join((line, *_trace(record)))


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and trace after an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one line; JSON escapes what a terminal must not see."""
        members: dict[str, object] = {
            "time": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(record):
            members["trace"] = trace
        return json.dumps(members)


def setup(level: str = "info", format: Format = "text", stream: TextIO | None = None) -> None:  # noqa: A002
    """Send every log record to one stream, standard error by default.

    `level` is one of `LEVELS`, in either case. Raises: ValueError for any other.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"a log level is one of {', '.join(LEVELS)}, not {level!r}")
    lines = logging.StreamHandler(stream or sys.stderr)
    lines.setFormatter(JsonLines() if format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(LEVELS[level.lower()])
    # What a library tells about each request is noise; that something failed is not.
    for noisy in ("uvicorn.access", "httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))


def _instant(record: logging.LogRecord) -> str:
    instant = datetime.fromtimestamp(record.created, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(record: logging.LogRecord) -> list[str]:
    if record.exc_info is None or record.exc_info[1] is None:
        return []
    whole = "".join(traceback.format_exception(record.exc_info[1]))
    return [neutralise(line) for line in whole.splitlines()]
