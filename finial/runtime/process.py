"""What a process of ours sets for itself before it holds a secret."""

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_PR_GET_DUMPABLE: Final = 3
UMASK: Final = 0o027
RESERVED: Final = 256
"""Descriptors for everything but connections: the database, files, the other listeners."""


def harden_process() -> None:
    """Make the process one that others of its uid can neither dump nor trace.

    Not dumpable means: no core file, no ptrace, and root owns /proc/<pid>, so that processes of the
    same uid cannot read its memory either. New files are closed to everyone outside the group; what
    must be readable (a bundle, sockets for workloads) is given its mode by name. As many
    descriptors as the system allows may be open, because each caller costs two.

    Raises: OSError.
    """
    os.umask(UMASK)
    raise_descriptor_limit()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot make the process undumpable: {os.strerror(number)}")


def raise_descriptor_limit() -> int:
    """Let the process open as many descriptors as the system allows; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def room_for_connections(cost: int) -> int:
    """How many connections may be open, each at the cost of so many descriptors.

    Those that are reserved stay free, so that callers cannot keep us from our own files.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max((soft - RESERVED) // cost, 1)


def is_dumpable() -> bool:
    """Whether others of our uid could dump or trace this process."""
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))
