"""What /proc/<pid>/status says about a process's user and groups (proc_pid_status(5))."""

import os
from dataclasses import dataclass
from typing import Final, Self

MAX_BYTES: Final = 64 * 1024
MAX_GROUPS: Final = 1024


class Unreadable(Exception):
    """The process's status is not there, or not what the kernel writes."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Effective user and group, and the supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def read(cls, proc: str) -> Self:
        """Read them from a process's folder, such as `/proc/123`.

        Raises: Unreadable.
        """
        try:
            return cls.parse(_content(f"{proc}/status"))
        except OSError as error:
            raise Unreadable(f"{proc}/status cannot be read: {error.strerror}") from error

    @classmethod
    def parse(cls, status: bytes) -> Self:
        """Read them from the file's content.

        Raises: Unreadable.
        """
        # The first line holds the program's name, in which the kernel escapes a line feed.
        try:
            uids, gids = _numbers(status, b"\nUid:"), _numbers(status, b"\nGid:")
            groups = _numbers(status, b"\nGroups:")
            found = cls(uids[1], gids[1], groups)
        except (ValueError, IndexError) as error:
            raise Unreadable("the process's status is malformed") from error
        if len(groups) > MAX_GROUPS:
            raise Unreadable(f"the process has {len(groups)} groups, more than {MAX_GROUPS}")
        return found


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)


def _numbers(status: bytes, name: bytes) -> tuple[int, ...]:
    begin = status.index(name) + len(name)
    return tuple(map(int, status[begin : status.index(b"\n", begin)].split()))
