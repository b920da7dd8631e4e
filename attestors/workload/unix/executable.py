"""Which file a process runs: its path, if that path is that file, and its SHA-256.

/proc/<pid>/exe leads to the very file, whatever name it has. Read as a link it gives the name that
the process's own mount namespace has for it, and in a user namespace of their own anybody can bind
their program over any name. So the name counts only if, looked up from here, it is the same file.

A file's content is told from others by device, inode, size, mtime and ctime. Every change of it
sets the ctime, which nobody can choose; and while a file runs it cannot be written to at all.

None of that holds on a file system that somebody serves who mounted it in a user namespace of their
own: it says what they like, and lets whoever asks wait for ever. So first the kernel alone is asked
(by O_PATH) in which mount the file is, and then only mounts that root made are touched.
"""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from attestors.container import namespaces
from finial.runtime.clock import Clock

CHUNK: Final = 1024 * 1024
READ_WITHIN: Final = 10.0
"""Seconds for one file: of holes, anybody makes a program of terabytes that takes no room."""
_MOUNT_ID: Final = b"mnt_id:"
_MAX_BYTES: Final = 4096

# Where only root can mount or link anything: looking there never waits for someone's file server.
_PROMPT: Final = ("/usr/", "/bin/", "/sbin/", "/lib/", "/nix/store/")


class TooLarge(Exception):
    """The file is larger than the settings allow."""


class UsersOwn(OSError):
    """The file lies on a file system that its user may have mounted."""

    def __str__(self) -> str:
        return "it lies on a file system that its user may have mounted, and serve at will"


@dataclass(frozen=True, slots=True)
class FileKey:
    """Tells one content of one file from all others."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileKey":
        """Take what identifies the content."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Program:
    """The file that runs; `path` is empty, and `remark` says why, unless the name is that file."""

    key: FileKey
    path: str
    remark: str = ""


def link_of(proc: str) -> str:
    """Return what the process calls its program; nobody has to believe it. Raises: OSError."""
    return os.readlink(f"{proc}/exe")


def prompt_mounts() -> tuple[int, ...]:
    """Return our own mounts that hold the system's programs. Raises: OSError."""
    return tuple(each.id for each in _mounts("/proc/self") if _holds_programs(each.point))


def identify_at_once(proc: str, link: str, mounts: Collection[int]) -> Program | None:
    """Look at a program in one of these mounts, which never waits for anyone; no other program.

    Raises: OSError.
    """
    if not link.startswith(_PROMPT):
        return None
    with _opened(proc) as running:
        return _compared(running, link) if _mount_of(running) in mounts else None


def identify(proc: str, link: str) -> Program:
    """Look at the running file, and at the name from here. Raises: OSError, as UsersOwn."""
    with _opened(proc) as running:
        _judge_mount(proc, running)
        return _compared(running, link)


def content_hash(proc: str, limit: int, clock: Clock) -> tuple[FileKey, str]:
    """Hash the running file; the key is that of what was read. `limit` is in bytes, 0 for none.

    Raises: TooLarge, OSError, as UsersOwn and TimeoutError.
    """
    with _opened(proc) as running:
        _judge_mount(proc, running)
        descriptor = os.open(f"/proc/self/fd/{running}", os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = FileKey.of(os.fstat(descriptor))
        judge_size(before, limit)
        digest = hashlib.sha256()
        until = clock.monotonic() + READ_WITHIN
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if clock.monotonic() > until:
                raise TimeoutError
        if FileKey.of(os.fstat(descriptor)) != before:
            raise OSError("the file changed while it was read")
    return before, digest.hexdigest()


def judge_size(key: FileKey, limit: int) -> None:
    """Make sure that a file is not larger than allowed. Raises: TooLarge."""
    if 0 < limit < key.size:
        raise TooLarge(f"the program has {key.size} bytes, and workload_size_limit is {limit}")


@dataclass(frozen=True, slots=True)
class _Mount:
    """One line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5))."""

    id: int
    device: bytes
    point: str


def _mounts(proc: str) -> list[_Mount]:
    with open(f"{proc}/mountinfo", "rb") as file:
        lines = [line.split(b" ", 5) for line in file.read().splitlines()]
    return [_Mount(int(each[0]), each[2], os.fsdecode(each[4])) for each in lines]


def _holds_programs(point: str) -> bool:
    folder = point.rstrip("/") + "/"
    return any(each.startswith(folder) or folder.startswith(each) for each in _PROMPT)


@contextlib.contextmanager
def _opened(proc: str) -> Iterator[int]:
    """Open the running file without asking its file system."""
    descriptor = os.open(f"{proc}/exe", os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mount_of(descriptor: int) -> int:
    seen = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(seen, _MAX_BYTES)
    finally:
        os.close(seen)
    begin = content.index(_MOUNT_ID) + len(_MOUNT_ID)
    return int(content[begin : content.index(b"\n", begin)])


def _judge_mount(proc: str, running: int) -> None:
    """Make sure that root mounted the file system. Raises: UsersOwn, OSError."""
    mount, ours = _mount_of(running), _mounts("/proc/self")
    if any(each.id == mount for each in ours):
        return
    device = next((each.device for each in _mounts(proc) if each.id == mount), None)
    if device is None:
        # Opened elsewhere, and executed by its descriptor.
        raise UsersOwn
    if any(each.device == device for each in ours):
        return
    # After the mounts were read: nobody comes back from a namespace of their own.
    if namespaces.may_mount(proc):
        raise UsersOwn


def _compared(running: int, link: str) -> Program:
    found = os.fstat(running)
    key = FileKey.of(found)
    try:
        named = os.stat(link)
    except OSError:
        return Program(key, "", f"there is no {link!r} here, as seen from the agent")
    if (named.st_dev, named.st_ino) != (found.st_dev, found.st_ino):
        return Program(key, "", f"{link!r} is another file than the one that runs")
    if not link.isprintable():
        return Program(key, "", f"the path {link!a} cannot be written as a selector")
    return Program(key, link)
