"""Peers of a Unix socket: who connected, and whether it still lives."""

import errno
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from finial.runtime.peer import SO_PEERPIDFD, KernelPeer, PeerGone, credentials, start_time


class Options:
    """A socket that answers what a test wants the kernel to answer."""

    def __init__(self, pid: int, pidfd: int | OSError) -> None:
        self._pid = pid
        self._pidfd = pidfd

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        assert level == socket.SOL_SOCKET
        if option == SO_PEERPIDFD:
            if isinstance(self._pidfd, OSError):
                raise self._pidfd
            return self._pidfd
        assert size == 12
        return struct.pack("3i", self._pid, 1000, 1001)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def test_a_peer_is_who_connected() -> None:
    """The kernel says pid, uid and gid of the other end, and that it lives."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = KernelPeer.of(ours)
        assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())
        assert credentials(theirs) == (peer.pid, peer.uid, peer.gid)
        assert peer.proc == f"/proc/{os.getpid()}"
        peer.check()
        peer.close()


def test_a_peer_of_a_user_id_beyond_the_signed_range_is_told() -> None:
    """User IDs are 32 bits without a sign."""

    class Huge(Options):
        def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
            return struct.pack("=iII", 5, 2**32 - 2, 2**31)

    assert credentials(Huge(5, 0)) == (5, 2**32 - 2, 2**31)


def test_an_invisible_peer_is_refused() -> None:
    """A caller of a PID namespace that cannot be seen has pid 0, and nothing can be read of it."""
    with pytest.raises(PeerGone, match="PID namespace"):
        KernelPeer.of(Options(0, 7))


def test_a_peer_that_has_ended_is_gone(child: "subprocess.Popen[bytes]") -> None:
    """Once a process has ended, reaped or not, nothing read under its pid counts any more."""
    peer = KernelPeer.by_pid(child.pid, 0, 0)
    peer.check()
    child.kill()
    select.select([peer.pidfd], [], [])
    with pytest.raises(PeerGone, match="has ended"):
        peer.check()
    child.wait()
    with pytest.raises(PeerGone, match="has ended"):
        peer.check()
    peer.close()


@pytest.mark.parametrize("number", [errno.ESRCH, errno.EINVAL, errno.ENODATA])
def test_a_kernel_that_has_forgotten_the_peer_says_that_it_is_gone(number: int) -> None:
    """Kernels before 6.16 give no descriptor of a process that was reaped before we asked."""
    with pytest.raises(PeerGone):
        KernelPeer.of(Options(os.getpid(), OSError(number, "")))


def test_running_out_of_descriptors_is_an_error_of_ours() -> None:
    """Too many open files is not the caller's end."""
    with pytest.raises(OSError, match="too many"):
        KernelPeer.of(Options(os.getpid(), OSError(errno.EMFILE, "too many")))


def test_an_older_kernel_is_asked_by_pid(child: "subprocess.Popen[bytes]") -> None:
    """Without SO_PEERPIDFD the process is opened by pid, with its start time."""
    peer = KernelPeer.of(Options(child.pid, OSError(errno.ENOPROTOOPT, "")))
    assert peer.started == start_time(child.pid)
    peer.check()
    end(child)
    with pytest.raises(PeerGone):
        peer.check()
    peer.close()
    with pytest.raises(PeerGone):
        KernelPeer.of(Options(child.pid, OSError(errno.ENOPROTOOPT, "")))


def test_another_start_time_is_another_process(child: "subprocess.Popen[bytes]") -> None:
    """A pid whose process started at another time has changed hands."""
    found = KernelPeer.by_pid(child.pid, 0, 0)
    assert found.started is not None
    other = KernelPeer(child.pid, 0, 0, found.pidfd, found.started - 1)
    with pytest.raises(PeerGone, match="another process"):
        other.check()
    found.close()


def test_the_start_time_is_found_behind_any_name() -> None:
    """A program's name may hold spaces and parentheses, which do not confuse the reading."""
    script = "import ctypes; ctypes.CDLL(None).prctl(15, b') 1 (x) 2', 0, 0, 0); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        assert abs(start_time(odd.pid) - start_time(os.getpid())) < 10**7
        assert start_time(odd.pid) > start_time(os.getpid())
        odd.communicate(b"\n")


def test_descriptors_are_given_back() -> None:
    """Peers that were closed leave no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        with ours, theirs:
            KernelPeer.of(ours).close()
    with pytest.raises(PeerGone):
        KernelPeer.by_pid(2**22 + 1, 0, 0)
    assert len(os.listdir("/proc/self/fd")) == before
