"""Unix sockets in the file system: bound with their mode, never in the place of anything else."""

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from finial.spiffe.refusal import Kind, Refusal

LONGEST_PATH: Final = 107
"""Bytes (unix(7))."""


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A socket that has its path and does not listen yet; `inode` tells its file from others."""

    socket: socket.socket
    path: Path
    inode: int

    def remove(self) -> None:
        """Remove the path; a socket that somebody else has put in its place stays."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()


def bind_unix(path: Path, mode: int) -> BoundSocket:
    """Make a socket with exactly that mode, which nobody can connect to before it listens.

    A socket on which nobody listens any more makes room for it.

    Raises: Refusal EXISTS when something listens there or the path is no socket, INVALID when the
    path is longer than the kernel takes; OSError.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        fault = f"the path of a socket has at most {LONGEST_PATH} bytes"
        raise Refusal(Kind.INVALID, fault, field="socket_path", value=str(path))
    _make_room(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.bind(str(path))
        path.chmod(mode)
    except OSError:
        bound.close()
        raise
    return BoundSocket(bound, path, path.lstat().st_ino)


def judge_listening(passed: socket.socket, name: str, path: Path) -> None:
    """Make sure that a socket somebody else has opened listens on that very path.

    Raises: Refusal INVALID.
    """
    fault = _fault(passed, path)
    if fault is not None:
        raise Refusal(
            Kind.INVALID,
            f"the socket passed as {name!r} {fault}",
            value=str(path),
            remedy=f"pass a Unix stream socket that listens on {path}",
        )


def _fault(passed: socket.socket, path: Path) -> str | None:
    if passed.family != socket.AF_UNIX or passed.type != socket.SOCK_STREAM:
        return "is no Unix stream socket"
    if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen"
    bound = passed.getsockname()
    if os.fsencode(bound) != os.fsencode(path):
        return f"is bound to {str(bound)[:LONGEST_PATH]!r} and the settings say {path}"
    if not path.is_socket():
        return f"has lost its path {path}"
    return None


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise Refusal(Kind.EXISTS, f"{path} exists and is no socket", value=str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        # Nothing but a refusal means that nobody listens: one who is very busy answers "again".
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise Refusal(Kind.EXISTS, f"something listens on {path} already", value=str(path))
    path.unlink(missing_ok=True)
