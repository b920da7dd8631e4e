"""The audit log: one JSON line for each thing that happened, handed to the kernel at once."""

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self, TextIO

import msgspec

ROOM: Final = 1024 * 1024
"""How much of the disk has to be free before an act begins, in bytes: more than it writes."""

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
        self.write_all((record,))

    def write_all(self, records: Iterable[Mapping[str, object]]) -> None:
        """Write records at once. Raises: OSError: none of them is in the log."""
        lines = b"".join(map(_line, records))
        if self._descriptor is not None:
            _append(self._descriptor, lines)
        elif self._stream is not None:
            self._stream.write(lines.decode("ascii"))
            self._stream.flush()

    def check_room(self) -> None:
        """See that an act which begins now can be recorded. Raises: OSError: the disk is full."""
        if self._descriptor is None:
            return
        disk = os.fstatvfs(self._descriptor)
        if disk.f_bavail * disk.f_frsize < ROOM:
            raise OSError(errno.ENOSPC, "less than 1 MiB is left on the disk of the audit log")

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


def _line(record: Mapping[str, object]) -> bytes:
    try:
        line = msgspec.json.encode(record, enc_hook=str)
    except (UnicodeEncodeError, OverflowError):  # half a character, or a serial number as a number
        return _careful_line(record)
    # Terminals know control characters beyond ASCII too, and text that runs backwards.
    return line + b"\n" if line.isascii() and b"\x7f" not in line else _careful_line(record)


def _careful_line(record: Mapping[str, object]) -> bytes:
    line = json.dumps(record, separators=(",", ":"), default=str)
    return line.replace("\x7f", "\\u007f").encode("ascii") + b"\n"


def _append(descriptor: int, line: bytes) -> None:
    written = os.write(descriptor, line)
    if written == len(line):
        return
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
    raise OSError(errno.ENOSPC, "only a part of the audit record could be written")
