"""Which file a process runs: its path, if that path is that file, and its SHA-256.

/proc/<pid>/exe leads to the very file, whatever name it has. Read as a link it gives the name that
the process's own mount namespace has for it, and in a user namespace of their own anybody can bind
their program over any name. So the name counts only if, looked up from here, it is the same file.

A file's content is told from others by device, inode, size, mtime and ctime. Every change of it
sets the ctime, which nobody can choose; and while a file runs it cannot be written to at all.
"""

import hashlib
import os
from dataclasses import dataclass
from typing import Final

CHUNK: Final = 1024 * 1024

# Where only root can mount or link anything: looking there never waits for someone's file server.
_PROMPT: Final = ("/usr/", "/bin/", "/sbin/", "/lib/", "/nix/store/")


class TooLarge(Exception):
    """The file is larger than the settings allow."""


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


def is_prompt(link: str) -> bool:
    """Whether looking the name up never waits for anyone, so that it needs no thread."""
    return link.startswith(_PROMPT)


def identify(proc: str, link: str) -> Program:
    """Look at the running file, and at the name from here. Raises: OSError."""
    running = os.stat(f"{proc}/exe")
    key = FileKey.of(running)
    try:
        named = os.stat(link)
    except OSError:
        return Program(key, "", f"there is no {link!r} here, as seen from the agent")
    if (named.st_dev, named.st_ino) != (running.st_dev, running.st_ino):
        return Program(key, "", f"{link!r} is another file than the one that runs")
    if not link.isprintable():
        return Program(key, "", f"the path {link!a} cannot be written as a selector")
    return Program(key, link)


def content_hash(proc: str, limit: int) -> tuple[FileKey, str]:
    """Hash the running file; the key is that of what was read. `limit` is in bytes, 0 for none.

    Raises: TooLarge, OSError.
    """
    descriptor = os.open(f"{proc}/exe", os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = FileKey.of(os.fstat(descriptor))
        judge_size(before, limit)
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        if FileKey.of(os.fstat(descriptor)) != before:
            raise OSError("the file changed while it was read")
    return before, digest.hexdigest()


def judge_size(key: FileKey, limit: int) -> None:
    """Make sure that a file is not larger than allowed. Raises: TooLarge."""
    if 0 < limit < key.size:
        raise TooLarge(f"the program has {key.size} bytes, and workload_size_limit is {limit}")
