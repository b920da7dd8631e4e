"""Files that are whole or not there, and folders that only their owner can change."""

import contextlib
import itertools
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_TEMPORARY: Final = ".new"
_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_count = itertools.count()


class UnsafePath(Exception):
    """A path that others could turn against us: a symbolic link, or not ours alone to write."""

    def __init__(self, path: Path, fault: str, remedy: str) -> None:
        super().__init__(f"{path} {fault}: {remedy}")
        self.path = path
        self.fault = fault
        self.remedy = remedy


def write_private(path: Path, content: bytes) -> None:
    """Put a file that only we can read in place of the former one, whole or not at all.

    Its bytes and its name are on the disk when this returns. Raises: OSError.
    """
    _replace(path, content, _PRIVATE)


def write_public(path: Path, content: bytes) -> None:
    """Put a file that everyone can read in place of the former one, whole or not at all.

    Its bytes and its name are on the disk when this returns. Raises: OSError.
    """
    _replace(path, content, _PUBLIC)


def read_private(path: Path) -> bytes | None:
    """Read a file that holds a secret, or return nothing if there is none.

    Raises: UnsafePath if it is a symbolic link, somebody else's, or open to others; OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise UnsafePath(path, "is a symbolic link", "put the file itself there") from error
        raise
    with os.fdopen(descriptor, "rb") as file:
        _judge_owner(path, os.fstat(file.fileno()), (os.geteuid(),))
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise UnsafePath(path, "can be read by others", f"chmod 600 {path}")
        return file.read()


def remove(path: Path) -> None:
    """Take a file away for good; one that does not exist is no error. Raises: OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        _sync_directory(path.parent)


def sweep(directory: Path) -> None:
    """Remove what a crash left half-written in a folder that only this process writes to.

    Raises: OSError.
    """
    for leftover in directory.glob(f".*{_TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def private_directory(path: Path) -> Path:
    """Make a folder for our secrets (0700), or check that it is one; its parents must exist.

    Raises: UnsafePath if it is a symbolic link, not a folder, somebody else's, or open to others;
    OSError.
    """
    return _directory(path, 0o700, forbidden=0o077)


def owned_directory(path: Path, mode: int = 0o755) -> Path:
    """Make a folder, or check that nobody but us can write to it; its parents must exist.

    Raises: UnsafePath if it is a symbolic link, not a folder, somebody else's, or writable by
    others; OSError.
    """
    return _directory(path, mode, forbidden=_WRITABLE_BY_OTHERS)


def guarded_directory(path: Path) -> Path:
    """Check that nobody but us and root can write to a folder that somebody else has made.

    Raises: UnsafePath as `owned_directory`; OSError.
    """
    return _judge_directory(path, forbidden=_WRITABLE_BY_OTHERS, owners=(os.geteuid(), 0))


def _directory(path: Path, mode: int, *, forbidden: int) -> Path:
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        path.chmod(mode)
    return _judge_directory(path, forbidden=forbidden, owners=(os.geteuid(),))


def _judge_directory(path: Path, *, forbidden: int, owners: Sequence[int]) -> Path:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise UnsafePath(path, "is a symbolic link", "name the folder it leads to")
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePath(path, "is not a folder", "move it away or name another")
    _judge_owner(path, found, owners)
    if found.st_mode & forbidden:
        wanted = stat.S_IMODE(found.st_mode) & ~forbidden
        deed = "written" if forbidden == _WRITABLE_BY_OTHERS else "entered"
        raise UnsafePath(path, f"can be {deed} by others", f"chmod {wanted:o} {path}")
    return path


def _judge_owner(path: Path, found: os.stat_result, owners: Sequence[int]) -> None:
    if found.st_uid not in owners:
        raise UnsafePath(
            path,
            f"belongs to uid {found.st_uid} and we run as uid {os.geteuid()}",
            "run as its owner or name another",
        )


def _replace(path: Path, content: bytes, mode: int) -> None:
    # A name of its own for each writing: two threads may replace one file at the same time.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_count)}{_TEMPORARY}")
    temporary.unlink(missing_ok=True)
    try:
        _write(temporary, content, mode)
        temporary.replace(path)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(fault, OSError):
            # Whoever reads of it knows the file that was to be written, not its other name.
            raise OSError(fault.errno, fault.strerror, str(path)) from fault
        raise
    _sync_directory(path.parent)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
