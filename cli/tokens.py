"""Secrets come from files or standard input, never from arguments, which everybody can read."""

import sys
from pathlib import Path
from typing import Final

import click

MAX_BYTES: Final = 64 * 1024


def read_secret(source: str) -> str:
    """Read a secret from a file, or from standard input if it is named `-`."""
    try:
        if source == "-":
            text = sys.stdin.read(MAX_BYTES + 1)
        else:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(MAX_BYTES + 1)
    except (OSError, UnicodeDecodeError) as fault:
        raise click.UsageError(f"cannot read {source}: {fault}") from fault
    if len(text) > MAX_BYTES:
        raise click.UsageError(f"{source} holds more than {MAX_BYTES} bytes: is it a secret?")
    secret = text.strip()
    if not secret:
        raise click.UsageError(f"{source} is empty")
    return secret
