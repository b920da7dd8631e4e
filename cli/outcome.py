"""How a command ends: its exit status, and the sentence that says why."""

import json
import sys
from collections.abc import Sequence
from typing import Final

import click

from cli.printing import plain
from finial.spiffe.refusal import Kind, Refusal

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
UNREACHABLE: Final = 4
INTERRUPTED: Final = 130

_STATUS: Final = {
    Kind.NOT_FOUND: NOT_FOUND,
    Kind.UNAVAILABLE: UNREACHABLE,
    Kind.TIMEOUT: UNREACHABLE,
}


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status."""
    try:
        result = command.main(
            list(arguments), prog_name="finial", standalone_mode=False, windows_expand_args=False
        )
    except click.ClickException as wrong:
        wrong.show()
        return USAGE if isinstance(wrong, click.UsageError) else REFUSED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`finial entry list | head`); Python would complain
        # again while it flushes at exit.
        sys.stderr.close()
        return DONE
    except (Refusal, OSError, UnicodeEncodeError) as fault:
        refusal = _refusal(fault)
        _tell(refusal, as_json=_wants_json(arguments))
        return status_of(refusal)
    return result if isinstance(result, int) else DONE


def status_of(refusal: Refusal) -> int:
    """Return the exit status that belongs to a refusal."""
    return _STATUS.get(refusal.kind, REFUSED)


def _refusal(fault: Refusal | OSError | UnicodeEncodeError) -> Refusal:
    if isinstance(fault, Refusal):
        return fault
    if isinstance(fault, OSError):
        # What a command reads and writes is named by its user: a full disk, a folder of others.
        reason = fault.strerror or str(fault)
        about = f"{fault.filename}: {reason}" if fault.filename else reason
        return Refusal(Kind.PRECONDITION, about)
    if fault.encoding != "utf-8":
        raise fault
    # An argument, or a file's name, may hold bytes that are no text: no request can say them.
    bytes_ = fault.object[fault.start : fault.end]
    return Refusal(Kind.INVALID, f"an argument is not UTF-8: it holds {bytes_!a}")


def _wants_json(arguments: Sequence[str]) -> bool:
    pairs = zip(arguments, (*arguments, "")[1:], strict=True)
    return any(one == "--output=json" or (one, two) == ("--output", "json") for one, two in pairs)


def _tell(refusal: Refusal, *, as_json: bool) -> None:
    if as_json:
        said = {
            "kind": refusal.kind.value,
            "detail": refusal.detail,
            "field": refusal.field,
            "value": refusal.value,
            "remedy": refusal.remedy,
        }
        click.echo(json.dumps({"error": {k: v for k, v in said.items() if v}}), err=True)
        return
    place = (
        f" ({plain(refusal.field)}: {refusal.value!r})" if refusal.field and refusal.value else ""
    )
    # Whoever answered may have been anybody: a line of theirs never looks like one of ours.
    detail = "\n  ".join(plain(line.strip()) for line in refusal.detail.split("\n"))
    click.echo(f"finial: {detail}{place}", err=True)
    if refusal.remedy:
        click.echo(f"  try: {plain(refusal.remedy)}", err=True)
