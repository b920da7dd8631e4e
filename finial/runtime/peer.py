"""Who is at the other end of a Unix socket, as the kernel saw it when they connected.

1. The socket's option SO_PEERCRED gives pid, uid and gid of the connecting process.
2. SO_PEERPIDFD (Linux 6.5) gives a descriptor of that very process, which can never come to mean
   another one; it becomes readable when the process ends.
3. Whoever wants to know more reads /proc/<pid> and calls `check` afterwards. If the process lives
   then, it lived all the time, so that what was read belongs to it.

Older kernels (Debian 12's among them) have no SO_PEERPIDFD. There the descriptor is opened by pid
when the connection is accepted, and the process's start time is kept. That is a weaker promise: a
caller that ends between connecting and being accepted may have left its pid to another process of
the same uid and gid, which is then taken for the caller.
"""

import errno
import os
import select
import socket
import struct
from dataclasses import dataclass
from typing import Final, Protocol, Self, overload

SO_PEERPIDFD: Final = 77  # Python 3.11 does not name it
_CREDENTIALS: Final = struct.Struct("=iII")


class PeerGone(Exception):
    """The process that connected no longer exists, or cannot be told from another."""


class HasOptions(Protocol):
    """A connected socket, or what an event loop hands out in its place."""

    @overload
    def getsockopt(self, level: int, option: int, /) -> int: ...

    @overload
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KernelPeer:
    """The process that connected: what the kernel recorded, and a descriptor of it.

    `started` is its start in clock ticks since boot, kept only where the descriptor was opened by
    pid. Call `close` once, when the connection ends.
    """

    pid: int
    uid: int
    gid: int
    pidfd: int
    started: int | None = None

    @classmethod
    def of(cls, sock: HasOptions) -> Self:
        """Ask the kernel about the other end of a connected Unix socket.

        Raises: PeerGone, OSError (no more descriptors).
        """
        pid, uid, gid = credentials(sock)
        if pid == 0:
            raise PeerGone("the caller lives in a PID namespace that cannot be seen from here")
        pidfd = _peer_pidfd(sock, pid)
        if pidfd is None:
            return cls.by_pid(pid, uid, gid)
        return cls(pid, uid, gid, pidfd)

    @classmethod
    def by_pid(cls, pid: int, uid: int, gid: int) -> Self:
        """Open a process by its pid, as kernels without SO_PEERPIDFD make us do.

        Raises: PeerGone, OSError (no more descriptors).
        """
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise PeerGone(f"process {pid} has ended") from None
        try:
            return cls(pid, uid, gid, pidfd, start_time(pid))
        except BaseException:
            os.close(pidfd)
            raise

    @property
    def proc(self) -> str:
        """The process's folder; what is read there counts only if `check` succeeds afterwards."""
        return f"/proc/{self.pid}"

    def check(self) -> None:
        """Make sure that the process has lived until now.

        Raises: PeerGone.
        """
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        if poll.poll(0):
            raise PeerGone(f"process {self.pid} has ended")
        if self.started is not None and start_time(self.pid) != self.started:
            raise PeerGone(f"pid {self.pid} now belongs to another process")

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.pidfd)


def credentials(sock: HasOptions) -> tuple[int, int, int]:
    """Return pid, uid and gid of whoever connected; pid 0 is one whom we cannot see."""
    found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(found)
    return pid, uid, gid


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot (proc_pid_stat(5), field 22).

    Raises: PeerGone.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError):
        raise PeerGone(f"process {pid} has ended") from None
    # The program's name, field 2, stands in parentheses and may hold anything, also these.
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def _peer_pidfd(sock: HasOptions, pid: int) -> int | None:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return None
        # Kernels before 6.16 give no descriptor of a process that has been reaped.
        if error.errno in (errno.ESRCH, errno.EINVAL, errno.ENODATA):
            raise PeerGone(f"process {pid} has ended") from None
        raise
