"""Whether a socket is there, for those whom it is meant for and nobody else's to replace."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from finial.explain.checkup import failed, ok, warning
from finial.explain.diagnosis import Diagnosis, Health

_EVERYBODY: Final = stat.S_IROTH | stat.S_IWOTH
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


def judge_socket(check: str, path: Path, *, everybody: bool, start: str) -> Iterator[Diagnosis]:
    """Judge a socket and every folder above it; `start` is the command that makes the socket.

    Everything that is wrong is said, what fails first.
    """
    try:
        found = path.lstat()
    except PermissionError:
        yield failed(check, f"{path} cannot be looked at", "run the command as root")
        return
    except OSError as error:
        yield failed(check, f"{path}: {error.strerror}", f"is the program running? {start}")
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield failed(check, f"{path} is no socket", f"move it away and start: {start}")
        return
    faults = list(_faults(check, path, found, everybody=everybody))
    mode = stat.S_IMODE(found.st_mode)
    faults.sort(key=lambda fault: fault.health is not Health.FAILED)
    yield from faults or (ok(check, f"{path}, mode {mode:04o}"),)


def _faults(
    check: str, path: Path, found: os.stat_result, *, everybody: bool
) -> Iterator[Diagnosis]:
    is_open = found.st_mode & _EVERYBODY
    if everybody and is_open != _EVERYBODY:
        yield failed(check, f"{path} cannot be used by every user", f"chmod a+rw {path}")
    if not everybody and is_open:
        yield failed(check, f"{path} can be used by every user", f"chmod o-rwx {path}")
    folders = list(path.absolute().parents)
    yield from _replaceable(check, folders, found)
    if everybody:
        yield from _closed(check, folders)


def _replaceable(check: str, folders: list[Path], found: os.stat_result) -> Iterator[Diagnosis]:
    owners = {0, found.st_uid}
    for folder in folders:
        state = folder.stat()
        writable = 0 if state.st_mode & stat.S_ISVTX else state.st_mode & _WRITABLE
        if writable == stat.S_IWGRP and state.st_gid == found.st_gid:
            # As a volume with an fsGroup is, whose group nobody else has.
            yield warning(
                check,
                f"{folder} can be written by the socket's own group, {state.st_gid}, whose members "
                "could put another socket there",
                f"have nobody else in that group, or chmod g-w {folder}",
            )
        elif writable:
            yield failed(
                check,
                f"{folder} can be written by others, who could put a socket of theirs there",
                f"chmod go-w {folder}",
            )
        elif state.st_uid not in owners:
            yield warning(
                check,
                f"{folder} belongs to uid {state.st_uid}, who could put another socket there",
                f"chown root {folder}, or choose another folder",
            )


def _closed(check: str, folders: list[Path]) -> Iterator[Diagnosis]:
    for folder in folders:
        if not folder.stat().st_mode & stat.S_IXOTH:
            yield warning(
                check,
                f"{folder} can be entered by its owner's group at most, so that other users' "
                "workloads do not reach the socket",
                f"chmod o+x {folder}, or choose another folder",
            )
