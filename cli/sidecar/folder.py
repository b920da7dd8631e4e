"""A folder in which a set of files is replaced as one, and which only we can change.

1. A set is a folder of its own, `.set-*`, written whole and synced before anything leads to it.
2. `svid.pem` and the others are symbolic links to `current/svid.pem`, made once.
3. `current` is a symbolic link to the latest set. One rename moves it, and with it every file.
4. The set before the latest stays, for whoever is still reading it; older ones are removed.
5. Everything below the folder is reached from its descriptor, never through a link.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.sidecar.rendering import PLACE, Rendered, names_of
from cli.sidecar.settings import SvidFiles
from finial.runtime.files import UnsafePath, owned_directory

CURRENT: Final = "current"
_SET: Final = ".set-"
_NEW: Final = ".new-"
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_LARGEST: Final = 4 * 1024 * 1024


class SetFolder:
    """The folder of one SVID; `draw` gives names that were never used before."""

    def __init__(self, wanted: SvidFiles, draw: Callable[[], str]) -> None:
        self.path = wanted.folder
        self._program = wanted.program
        self._owner, self._group = wanted.owner_id(), wanted.group_id()
        self._mode, self._key_mode = int(wanted.mode, 8), int(wanted.key_mode, 8)
        self._draw = draw

    def prepare(self) -> None:
        """Make the folder, or make sure that nobody but us (and root) can change what it holds.

        Raises: UnsafePath, OSError.
        """
        judge_way(self.path)
        owned_directory(self.path)
        with self._open() as folder:
            self._sweep(folder)

    def check(self) -> None:
        """Say whether the folder can be used, and change nothing. Raises: UnsafePath, OSError."""
        judge_way(self.path)
        if self.path.is_symlink() or self.path.exists():
            owned_directory(self.path)
            with self._open() as folder:
                self._judge_names(folder, names_of(self._program))

    def read(self) -> dict[str, bytes]:
        """Return the files of the latest set, or nothing; its own folder reads as `PLACE`."""
        with self._open() as folder, contextlib.suppress(OSError):
            name = os.readlink(CURRENT, dir_fd=folder)
            if not name.startswith(_SET) or "/" in name:
                return {}
            with _directory(name, folder) as inside:
                place = str(self.path / name).encode()
                return {
                    each: _read(each, inside).replace(place, PLACE) for each in os.listdir(inside)
                }
        return {}

    def shows(self, files: Mapping[str, Rendered]) -> bool:
        """Whether each name leads to the latest set, to a file with its owner and mode.

        A former run may have been stopped before that, or told otherwise. Raises: OSError.
        """
        with self._open() as folder, _directory(self._current(folder), folder) as inside:
            return all(
                _target(name, folder) == f"{CURRENT}/{name}"
                and _whose(os.lstat(name, dir_fd=inside)) == self._wanted_of(each)
                for name, each in files.items()
            )

    def replace(self, files: Mapping[str, Rendered]) -> None:
        """Put a set in place of the former one, as one step. Raises: UnsafePath, OSError."""
        owned_directory(self.path)
        with self._open() as folder:
            self._judge_names(folder, files)
            self._sweep(folder)
            name = _SET + self._draw()
            os.mkdir(name, 0o700, dir_fd=folder)
            former = self._current(folder)
            try:
                self._fill(name, files, folder)
                for each in files:
                    self._link(each, f"{CURRENT}/{each}", folder)
                # The last step: whatever stops us before it leaves the former set in use.
                self._link(CURRENT, name, folder)
            except BaseException:
                _remove_set(name, folder)
                raise
            self._remove_stale(folder, {name, former}, set(files))
            os.fsync(folder)

    def clear(self) -> bool:
        """Take every set away; tell whether there was one. Raises: OSError."""
        with self._open() as folder:
            had = self._current(folder) != ""
            self._remove_stale(folder, set(), set())
            with contextlib.suppress(FileNotFoundError):
                os.unlink(CURRENT, dir_fd=folder)
            os.fsync(folder)
            return had

    @contextmanager
    def _open(self) -> Iterator[int]:
        with _directory(str(self.path), None) as descriptor:
            yield descriptor

    def _fill(self, name: str, files: Mapping[str, Rendered], folder: int) -> None:
        with _directory(name, folder) as inside:
            for each, rendered in files.items():
                owner, group, mode = self._wanted_of(rendered)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                with os.fdopen(os.open(each, flags, 0o600, dir_fd=inside), "wb") as file:
                    file.write(rendered.at(self.path / name))
                    file.flush()
                    # Whose it is comes first: a mode for the new group is not for our own.
                    os.fchown(file.fileno(), owner, group)
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
            os.fchmod(inside, 0o755)
            os.fsync(inside)

    def _wanted_of(self, file: Rendered) -> tuple[int, int, int]:
        return self._owner, self._group, self._key_mode if file.is_secret else self._mode

    def _link(self, name: str, target: str, folder: int) -> None:
        if _target(name, folder) == target:
            return
        temporary = _NEW + name
        os.symlink(target, temporary, dir_fd=folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

    def _judge_names(self, folder: int, names: Iterable[str]) -> None:
        """Refuse to take the place of what somebody else put there under a name of ours."""
        for name in (CURRENT, *names):
            with contextlib.suppress(FileNotFoundError):
                os.lstat(name, dir_fd=folder)
                target = _target(name, folder)
                if target != f"{CURRENT}/{name}" and not (
                    name == CURRENT and target.startswith(_SET)
                ):
                    raise UnsafePath(self.path / name, "was there before", "move it away")

    def _current(self, folder: int) -> str:
        return _target(CURRENT, folder)

    def _sweep(self, folder: int) -> None:
        """Remove what a crash left half-written; the set in use and the one before are kept."""
        for name in os.listdir(folder):
            if name.startswith(_NEW):
                os.unlink(name, dir_fd=folder)

    def _remove_stale(self, folder: int, kept: Iterable[str], files: set[str]) -> None:
        for name in os.listdir(folder):
            if name.startswith(_SET) and name not in kept:
                _remove_set(name, folder)
            elif name not in files and _target(name, folder) == f"{CURRENT}/{name}":
                os.unlink(name, dir_fd=folder)


def _target(name: str, folder: int) -> str:
    """Where a link leads, nothing if there is no link of that name."""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return ""


def _whose(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@contextmanager
def _directory(name: str, folder: int | None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(name: str, folder: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
        return file.read(_LARGEST)


def _remove_set(name: str, folder: int) -> None:
    with _directory(name, folder) as inside:
        for each in os.listdir(inside):
            os.unlink(each, dir_fd=inside)
    os.rmdir(name, dir_fd=folder)


def judge_way(path: Path) -> None:
    """Make sure that nobody but us and root can rename a folder above, or lead it elsewhere.

    Raises: UnsafePath, OSError.
    """
    resolved = path.parent.resolve()
    ways = (path.parent, *path.parent.parents, resolved, *resolved.parents)
    for parent in dict.fromkeys(ways):
        for found in (parent.lstat(), parent.stat()):
            if found.st_uid not in (0, os.geteuid()):
                raise UnsafePath(
                    parent, f"belongs to uid {found.st_uid}", "choose a folder of root or of us"
                )
        # In a folder with the sticky bit nobody can rename what is ours.
        if parent.stat().st_mode & _OTHERS and not parent.stat().st_mode & stat.S_ISVTX:
            raise UnsafePath(parent, "can be written by others", f"chmod go-w {parent}")
