"""What the kernel says of itself, as this process and as prepared files tell it."""

import os
import socket
from pathlib import Path

import pytest

from finial.runtime.kernel import (
    hides_processes,
    kind_of_cgroups,
    may_look,
    open_descriptors,
    probe_kernel,
    room_of,
    rooms_of,
)
from finial.runtime.peer import SO_PEERPIDFD


def test_this_kernel_is_looked_at() -> None:
    """What is found agrees with what the kernel says when asked in another way."""
    found = probe_kernel()
    assert found.release == os.uname().release
    assert found.cgroups in ("v1", "v2", "hybrid", "none")
    here, there = socket.socketpair()
    with here, there:
        try:
            os.close(here.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))
        except OSError:
            assert not found.peer_pidfd
        else:
            assert found.peer_pidfd


def test_what_cannot_be_read_is_taken_for_missing(tmp_path: Path) -> None:
    """Without /proc nothing is known, and nothing breaks."""
    found = probe_kernel(tmp_path)
    assert (found.cgroups, found.user_namespaces, found.may_look) == ("none", False, False)
    assert not found.sees_all


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        ("", "none"),
        ("0::/user.slice\n", "v2"),
        ("12:pids:/\n1:name=systemd:/\n", "v1"),
        ("2:cpu:/\n0::/\n", "hybrid"),
    ],
)
def test_cgroups_are_told_apart(listed: str, kind: str) -> None:
    """cgroups(7): hierarchy 0 is version 2, every other one version 1."""
    assert kind_of_cgroups(listed) == kind


PROC = "25 30 0:23 / /proc rw,nosuid - proc proc rw{}\n"
ROOT = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("mounted", "hidden"),
    [
        ("", False),
        (ROOT + PROC.format(""), False),
        (PROC.format(",hidepid=0"), False),
        (PROC.format(",hidepid=off"), False),
        (PROC.format(",gid=5,hidepid=2"), True),
        (PROC.format(",hidepid=invisible"), True),
        (PROC.format("").replace(" /proc ", " /other/proc "), False),
    ],
)
def test_a_proc_that_hides_processes_is_found(mounted: str, hidden: bool) -> None:
    """proc(5): hidepid is an option of the mount at /proc."""
    assert hides_processes(mounted) is hidden


@pytest.mark.parametrize(
    ("status", "may"),
    [
        ("", False),
        ("Name:\tx\nCapEff:\t0000000000000000\n", False),
        ("CapEff:\t0000000000080000\n", True),
        ("CapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t0000000000040000\n", False),
    ],
)
def test_the_right_to_look_is_a_capability(status: str, may: bool) -> None:
    """capabilities(7): CAP_SYS_PTRACE is number 19."""
    assert may_look(status) is may


def test_rooms_are_asked_for_once_a_disk(tmp_path: Path) -> None:
    """Two folders of one disk have one room; one that does not exist yet has that of its parent."""
    (tmp_path / "a").mkdir()
    found = rooms_of((tmp_path / "a", tmp_path / "b" / "c"))
    assert [place for place, _ in found] == [tmp_path / "a"]
    assert rooms_of((tmp_path / "b" / "c",))[0][0] == tmp_path
    assert 0 < room_of(tmp_path).free <= room_of(tmp_path).total


def test_open_descriptors_are_counted() -> None:
    """One more open file is one more descriptor."""
    before, limit = open_descriptors()
    with open("/dev/null", "rb"):
        assert open_descriptors() == (before + 1, limit)
