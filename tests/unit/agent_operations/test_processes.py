"""Looking at processes by their numbers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.attestation.attempt import Caller
from agent.operations.processes import caller_of, program, running, still_running
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal


def test_a_living_process_is_described() -> None:
    """User, group, program and when it started are the kernel's."""
    found = running(os.getpid())
    assert (found.caller.uid, found.caller.gid) == (os.geteuid(), os.getegid())
    assert found.caller.exe == os.readlink("/proc/self/exe")
    assert found.caller.started > 0
    assert 0 <= SystemClock().now() - found.since < 24 * 3600
    assert still_running(found.caller) == found


@pytest.mark.parametrize(
    ("pid", "kind"), [(0, Kind.INVALID), (-5, Kind.INVALID), (2**31, Kind.INVALID)]
)
def test_what_is_no_number_of_a_process_is_refused(pid: int, kind: Kind) -> None:
    """Zero, negative and enormous numbers name nobody."""
    with pytest.raises(Refusal) as caught:
        running(pid)
    assert caught.value.kind is kind


def test_a_process_that_ended_is_not_found() -> None:
    """It has a remedy, because numbers differ between PID namespaces."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    peer = KernelPeer.by_pid(child.pid, os.geteuid(), os.getegid())
    before = caller_of(peer)
    child.wait()
    with pytest.raises(Refusal) as caught:
        running(child.pid)
    assert caught.value.kind is Kind.NOT_FOUND
    assert caught.value.remedy
    assert still_running(before) is None
    assert program(child.pid) == ""
    assert caller_of(peer) == Caller(child.pid, os.geteuid(), os.getegid())
    peer.close()


def test_another_process_of_the_same_number_is_another() -> None:
    """The start time tells them apart."""
    mine = running(os.getpid()).caller
    assert still_running(Caller(mine.pid, mine.uid, mine.gid, mine.started - 1)) is None


def test_a_programs_name_may_be_any_bytes(tmp_path: Path) -> None:
    """What is no text is escaped, so that it can travel."""
    path = os.fsencode(tmp_path) + b"/sl\xffeep"
    shutil.copy(str(shutil.which("sleep")), path)
    child = subprocess.Popen([path, b"60"])
    try:
        assert program(child.pid).endswith("/sl\\xffeep")
    finally:
        child.kill()
        child.wait()


def test_processes_of_one_control_group_have_the_same_group() -> None:
    """A child that was not moved is where its parent is, and both are somewhere."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        groups = set()
        for pid in (child.pid, os.getpid()):
            peer = KernelPeer.by_pid(pid, os.geteuid(), os.getegid())
            groups.add(caller_of(peer).group)
            peer.close()
    finally:
        child.communicate(b"\n")
    assert len(groups) == 1
    assert 0 not in groups
