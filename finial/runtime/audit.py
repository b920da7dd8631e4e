"""The audit log: one JSON line for each thing that happened, handed to the kernel at once."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self, TextIO

_MODE: Final = 0o640


class AuditLog:
    """Writes records to a file or a stream.

    A record is one line of ASCII: JSON escapes control characters and terminal escapes. `write`
    raises when the line could not be written, and the caller then refuses the act; a line that got
    only half onto a full disk is taken back, so that what was refused does not spoil the log.
    """

    def __init__(self, path: Path | None = None, stream: TextIO | None = None) -> None:
        self._path = path
        self._stream = stream
        self._descriptor = _open(path) if path else None

    def write(self, record: Mapping[str, object]) -> None:
        """Write one record. Raises: OSError: it is not in the log."""
        line = json.dumps(record, separators=(",", ":"), default=str) + "\n"
        if self._descriptor is not None:
            _append(self._descriptor, line.encode("ascii"))
        elif self._stream is not None:
            self._stream.write(line)
            self._stream.flush()

    def reopen(self) -> None:
        """Open the file by its name again, after somebody moved it away. Raises: OSError."""
        if self._path and self._descriptor is not None:
            former, self._descriptor = self._descriptor, _open(self._path)
            os.close(former)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, _MODE)


def _append(descriptor: int, line: bytes) -> None:
    written = os.write(descriptor, line)
    if written == len(line):
        return
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
    raise OSError(28, "only a part of the audit record could be written")
