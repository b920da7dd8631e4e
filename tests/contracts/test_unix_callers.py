"""Callers who try to be someone else, as real processes of other users."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attestors.contract import Attested, Failed, Finding
from finial.runtime.peer import KernelPeer, PeerGone
from finial.spiffe.refusal import Kind
from tests.conftest import Requirements
from tests.contracts.callers import GID, PYTHON, SLEEP, UID, Counter, attest, counter

pytestmark = pytest.mark.root

NEXT_PID = "/proc/sys/kernel/ns_last_pid"
WAIT = "print('ready', flush=True); input()"


@pytest.fixture
def door() -> Iterator[Counter]:
    with counter() as opened:
        yield opened


def values(finding: Finding) -> list[str]:
    assert isinstance(finding, Attested)
    return [selector.value for selector in finding.selectors]


def told(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def settled(peer: KernelPeer, program: str) -> None:
    """Wait until the caller runs that program."""
    while os.path.basename(os.readlink(f"{peer.proc}/exe")) != os.path.basename(program):
        os.sched_yield()


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_two_users_get_what_is_theirs(door: Counter) -> None:
    """Two users' processes have different selectors, each its own uid, gid and program."""
    script = door.script(WAIT)
    for uid in (UID, UID + 7):
        door.start(PYTHON, script, uid=uid)
        with door.accepted() as peer:
            found = values(attest(peer))
            peer.check()
        assert found == [
            f"uid:{uid}",
            f"gid:{GID}",
            f"path:{PYTHON}",
            f"sha256:{digest(PYTHON)}",
        ]


@pytest.mark.parametrize("bit", [0o4755, 0o2755], ids=["setuid", "setgid"])
def test_whoever_executes_a_privileged_program_is_denied(door: Counter, bit: int) -> None:
    """Connecting and then executing a set-uid or set-gid program gives nobody root's identities."""
    privileged = door.program("privileged", SLEEP, bit)
    door.start(PYTHON, door.script(f"os.execv({privileged!r}, ['sleep', '60'])"))
    with door.accepted() as peer:
        assert (peer.uid, peer.gid) == (UID, GID)
        settled(peer, privileged)
        finding = attest(peer)
        peer.check()
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED


def test_whoever_executes_an_ordinary_program_stays_who_they_are(door: Counter) -> None:
    """Executing another program changes path and hash, and no rights."""
    ordinary = door.program("ordinary", SLEEP)
    door.start(PYTHON, door.script(f"os.execv({ordinary!r}, ['sleep', '60'])"))
    with door.accepted() as peer:
        settled(peer, ordinary)
        found = values(attest(peer))
    assert found == [f"uid:{UID}", f"gid:{GID}", f"path:{ordinary}", f"sha256:{digest(SLEEP)}"]


def test_a_name_bound_over_in_a_user_namespace_is_no_path(
    door: Counter, require: Requirements
) -> None:
    """Binding one's own program over a trusted one's name, in a namespace, fakes no path."""
    if subprocess.run(["/usr/bin/unshare", "-r", "-m", "true"], user=UID, check=False).returncode:
        require.missing("user namespaces are closed", "sysctl user.max_user_namespaces=10000")
    evil = door.program("evil", PYTHON)
    script = door.script(WAIT)
    bind = f'mount --bind {evil} {SLEEP} && exec {SLEEP} "$@"'
    door.start("/usr/bin/unshare", "-r", "-m", "/bin/sh", "-c", bind, "sh", script)
    with door.accepted() as peer:
        assert os.readlink(f"{peer.proc}/exe") == SLEEP
        finding = attest(peer)
        peer.check()
    assert values(finding) == [f"uid:{UID}", f"gid:{GID}", f"sha256:{digest(evil)}"]
    assert isinstance(finding, Attested)
    nameless = f"uid {UID} has no name on this machine, so there is no unix:user"
    assert nameless in finding.remarks
    assert any("another file" in each for each in finding.remarks)


def test_a_program_that_only_its_namespace_shows_has_a_hash(door: Counter) -> None:
    """In a mount namespace, as in a container, the running file's hash is given and no path."""
    hidden = door.folder / "hidden"
    hidden.mkdir()
    inside = f"mount -t tmpfs tmpfs {hidden} && cp {PYTHON} {hidden}/web && chmod 755 {hidden}/web"
    become = f'exec setpriv --reuid={UID} --regid={GID} --clear-groups {hidden}/web "$@"'
    line = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", f"{inside} && {become}", "sh")
    door.start(*line, door.script(WAIT), uid=0, gid=0)
    with door.accepted() as peer:
        finding = attest(peer)
        peer.check()
    assert values(finding) == [f"uid:{UID}", f"gid:{GID}", f"sha256:{digest(PYTHON)}"]
    assert isinstance(finding, Attested)
    assert any("there is no" in remark for remark in finding.remarks)


def test_a_name_that_is_another_file_outside_is_no_path(door: Counter) -> None:
    """The same name outside of the namespace is another file: its path and hash are not given."""
    shown = door.folder / "shown"
    shown.mkdir()
    outside = door.program("shown/web", SLEEP)
    inside = f"mount -t tmpfs tmpfs {shown} && cp {PYTHON} {outside} && chmod 755 {outside}"
    become = f'exec setpriv --reuid={UID} --regid={GID} --clear-groups {outside} "$@"'
    line = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", f"{inside} && {become}", "sh")
    door.start(*line, door.script(WAIT), uid=0, gid=0)
    with door.accepted() as peer:
        finding = attest(peer)
        peer.check()
    assert values(finding) == [f"uid:{UID}", f"gid:{GID}", f"sha256:{digest(PYTHON)}"]
    assert digest(outside) == digest(SLEEP)


def test_a_child_that_inherits_the_socket_is_not_the_caller(door: Counter) -> None:
    """Once the process that connected has ended, its child on the same socket gets nothing."""
    door.start(
        PYTHON,
        door.script("if os.fork(): os._exit(0)\nprint('child', flush=True); input()"),
    ).wait()
    with door.accepted() as peer:
        with pytest.raises(PeerGone):
            peer.check()
        assert not isinstance(attest(peer), Attested)


def test_a_caller_that_ended_before_it_was_accepted_is_gone(door: Counter) -> None:
    """A caller that is gone before we look is known by the kernel and gets nothing."""
    gone = door.start(PYTHON, door.script(""))
    gone.wait()
    with door.accepted() as peer:
        assert (peer.pid, peer.uid) == (gone.pid, UID)
        with pytest.raises(PeerGone):
            peer.check()


@pytest.mark.parametrize("of", [KernelPeer, None], ids=["pidfd", "by pid"])
def test_a_pid_that_was_given_away_lends_nothing(
    door: Counter, require: Requirements, of: type | None
) -> None:
    """A process that got the caller's pid is looked at, and the check afterwards throws it away."""
    if not os.access(NEXT_PID, os.W_OK):
        require.missing(f"{NEXT_PID} cannot be written", "mount -o remount,rw /proc/sys")
    caller = door.start(PYTHON, door.script(WAIT))
    with door.accepted() as accepted:
        peer = accepted if of else KernelPeer.by_pid(accepted.pid, UID, GID)
        told(caller)
        peer.check()
        caller.kill()
        caller.wait()
        heir = born_as(peer.pid, lambda: door.start(SLEEP, "60", uid=UID))
        assert heir.pid == peer.pid
        assert f"uid:{UID}" in values(attest(peer))
        with pytest.raises(PeerGone):
            peer.check()
        if peer is not accepted:
            peer.close()


def born_as(pid: int, start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    """Start a process that gets this pid, however often others take it first."""
    for _ in range(200):
        Path(NEXT_PID).write_text(str(pid - 1))
        process = start()
        if process.pid == pid:
            return process
        process.kill()
        process.communicate()
    raise AssertionError(f"pid {pid} was never free")


def test_a_process_that_gives_up_its_rights_is_denied(door: Counter) -> None:
    """A caller that changed its own uid since it connected is no longer who connected."""
    door.start(PYTHON, door.script(f"os.setresuid(*3*[{UID}]); {WAIT}"), uid=0)
    with door.accepted() as peer:
        assert peer.uid == 0
        while b"\t%d\t%d\t" % (UID, UID) not in Path(f"{peer.proc}/status").read_bytes():
            os.sched_yield()
        finding = attest(peer)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED


def test_supplementary_groups_are_told(door: Counter) -> None:
    """The groups that a process has beside its own are selectors (BW-01)."""
    command = [PYTHON, door.script(WAIT), door.path]
    with subprocess.Popen(
        command, user=UID, group=GID, extra_groups=[77_001, 77_000], stdin=subprocess.PIPE
    ) as process:
        with door.accepted() as peer:
            found = values(attest(peer))
        process.kill()
    assert [each for each in found if each.startswith("supp")] == [
        "supplementary_gid:77000",
        "supplementary_gid:77001",
    ]
