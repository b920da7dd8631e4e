"""What the kernel says about a process's namespaces (ioctl_ns(2)); nobody can forge any of it."""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from typing import Final

_NS_GET_USERNS: Final = 0xB701
_NS_GET_PARENT: Final = 0xB702
_NS_GET_OWNER_UID: Final = 0xB704
# The kernel nests no deeper.
_MAX_DEPTH: Final = 33
_OURS: Final = "/proc/self"


def same(proc: str, other: str, kind: str) -> bool:
    """Whether two processes share a namespace, such as of kind `mnt`. Raises: OSError."""
    return _identity(os.stat(f"{proc}/ns/{kind}")) == _identity(os.stat(f"{other}/ns/{kind}"))


def has_pid_within(proc: str, other: str) -> bool:
    """Whether a process's PID namespace is another's, or was made inside of that one.

    Nobody leaves a PID namespace for one that is not below it. Raises: OSError.
    """
    wanted = _identity(os.stat(f"{other}/ns/pid"))
    with contextlib.ExitStack() as opened:
        namespace = opened.enter_context(_opened(f"{proc}/ns/pid"))
        for _ in range(_MAX_DEPTH):
            if _identity(os.fstat(namespace)) == wanted:
                return True
            try:
                namespace = fcntl.ioctl(namespace, _NS_GET_PARENT)
            except PermissionError:
                # What is above our own namespace is not shown to us.
                return False
            opened.callback(os.close, namespace)
    return False


def foreign_user(proc: str) -> int | None:
    """Whose user namespaces a process is in: the uid that made the outermost below our own.

    Nothing if the process is in our own user namespace. Everything that happens in a user's
    namespaces, such as a rootless engine with all its containers, is within that user's power.

    Raises: OSError.
    """
    ours = _identity(os.stat(f"{_OURS}/ns/user"))
    with _opened(f"{proc}/ns/user") as first:
        if _identity(os.fstat(first)) == ours:
            return None
        inner = os.dup(first)
    for _ in range(_MAX_DEPTH):
        try:
            outer = fcntl.ioctl(inner, _NS_GET_PARENT)
            found = _identity(os.fstat(outer))
            if found == ours:
                os.close(outer)
                return _owner(inner)
        finally:
            os.close(inner)
        inner = outer
    os.close(inner)
    raise OSError("user namespaces are nested deeper than the kernel allows")


def may_mount(proc: str) -> bool:
    """Whether somebody without our own rights may have mounted what a process sees.

    A mount namespace belongs to the user namespace that it was made in; whoever has the rights
    there may mount, whoever lacks them may not. Raises: OSError.
    """
    with _opened(f"{proc}/ns/mnt") as namespace:
        users = fcntl.ioctl(namespace, _NS_GET_USERNS)
        try:
            found = _identity(os.fstat(users))
        finally:
            os.close(users)
    return found != _identity(os.stat(f"{_OURS}/ns/user"))


def _owner(namespace: int) -> int:
    owner = bytearray(4)
    fcntl.ioctl(namespace, _NS_GET_OWNER_UID, owner)
    uid: int = struct.unpack("=I", owner)[0]
    return uid


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
