"""Which container the cgroups, namespaces and mounts of a process name (BW-02)."""

import json
import os
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestors.container import cgroup, mounts, names, namespaces
from attestors.container.cgroup import Malformed
from attestors.container.locate import Container, Contradiction, NoContainer, judge, locate
from tests.doubles.programs import eventually

CORPUS = json.loads((Path(__file__).parents[2] / "vectors/cgroups.json").read_text())["cases"]
ID = "ab" * 32


def judged(content: str) -> Container | NoContainer:
    return judge(cgroup.parse(content.encode()))


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case['source']}: {case['situation']}")
def test_the_corpus_of_reports(case: dict[str, Any]) -> None:
    """BW-02: what people's machines had in that file, and what it says."""
    content = "\n".join(case["cgroup"]) + "\n"
    verdict = case["verdict"]
    if verdict.get("contradiction"):
        with pytest.raises(Contradiction):
            judged(content)
        return
    found = judged(content)
    if verdict.get("none"):
        assert isinstance(found, NoContainer)
        return
    assert isinstance(found, Container)
    assert found.id == verdict["container"]
    assert found.pod_uid == verdict.get("pod", "")
    assert found.podman == verdict.get("podman", False)
    assert found.user == verdict.get("user")
    assert [each.id for each in found.outer] == verdict.get("outer", [])


def test_v2_is_compared_where_it_names_the_container() -> None:
    """Where both name it, the single hierarchy counts."""
    found = judged(f"1:cpu:/a/{ID}\n0::/b/{ID}/c\n")
    assert isinstance(found, Container)
    assert (found.hierarchy, found.path, found.root) == ("", f"/b/{ID}/c", f"/b/{ID}")
    found = judged(f"1:cpu:/a/{ID}\n0::/b\n")
    assert isinstance(found, Container)
    assert found.hierarchy == "cpu"


@pytest.mark.parametrize(
    "content",
    ["x", ":", "0:", "0::", "0:a", "a::/", "²::/", "0::relative", "0::/\n\n1::/", "1:x:/\n \n"],
)
def test_what_the_kernel_never_writes(content: str) -> None:
    """A file that cannot be understood is refused as a whole."""
    with pytest.raises(Malformed):
        cgroup.parse(content.encode())


def test_the_file_is_bounded() -> None:
    """Neither its size nor its lines are read without end."""
    with pytest.raises(Malformed, match="bytes"):
        cgroup.parse(b"0::/" + b"a" * cgroup.MAX_BYTES)
    with pytest.raises(Malformed, match="lines"):
        cgroup.parse(b"0::/\n" * (cgroup.MAX_LINES + 1))
    assert cgroup.parse(b"") == ()


def test_bytes_that_are_no_text_are_kept() -> None:
    """A cgroup's name may be any bytes; it is nobody's container, and no exception."""
    assert isinstance(judge(cgroup.parse(b"0::/\xff\xfe/x\n")), NoContainer)


@given(st.lists(st.text(string.hexdigits + "/.-_:podslice", max_size=90), max_size=6))
def test_whatever_is_named_was_there(segments: list[str]) -> None:
    """An ID that comes out stands in the path as a whole word, and its root ends with it."""
    path = "/" + "/".join(segments)
    for found in names.chain(path):
        assert found.id in path
        assert path.startswith(found.root)
        assert found.id in found.root.rsplit("/", 1)[-1]


def test_within_is_a_matter_of_whole_names() -> None:
    """A cgroup whose name begins like another is not below it."""
    assert cgroup.is_within("/a/b", "/a/b")
    assert cgroup.is_within("/a/b/c", "/a/b")
    assert not cgroup.is_within("/a/bc", "/a/b")
    assert not cgroup.is_within("/a", "/a/b")
    assert cgroup.is_within("/a", "/")


def test_this_very_process_can_be_located() -> None:
    """The kernel's own file is one that can be read; a process that is gone has none."""
    assert isinstance(locate("/proc/self"), Container | NoContainer)
    with pytest.raises(OSError):
        locate("/proc/0")


def test_our_own_namespaces_are_nobody_elses() -> None:
    """A process beside us is in no user's namespaces, and nobody else mounts for it."""
    assert namespaces.foreign_user("/proc/self") is None
    assert not namespaces.may_mount("/proc/self")
    assert namespaces.same("/proc/self", f"/proc/{os.getpid()}", "mnt")


@pytest.mark.root
def test_whose_namespaces_a_process_is_in_is_the_kernels_to_say() -> None:
    """The user who made the outermost of them, however deep the process is."""
    user = 61_234
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    command += ["unshare", "-Urm", "unshare", "-Urm", "sleep", "60"]
    process = subprocess.Popen(command)
    try:
        proc = f"/proc/{process.pid}"
        eventually(lambda: Path(proc, "comm").read_text() == "sleep\n")
        assert namespaces.foreign_user(proc) == user
        assert namespaces.may_mount(proc)
        assert not namespaces.same(proc, "/proc/self", "mnt")
        assert mounts.named(proc) == ""
    finally:
        process.kill()
        process.wait()


@pytest.mark.root
def test_a_pid_namespace_is_left_by_nobody() -> None:
    """A process that is deeper is within; one that is beside or above is not."""
    command = ["unshare", "-pf", "--kill-child", "sh", "-c"]
    outer = subprocess.Popen([*command, "exec unshare -pf --kill-child sleep 60"])
    beside = subprocess.Popen([*command, "exec sleep 60"])

    def child_of(pid: int) -> int | None:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(found[0]) if found else None

    try:
        middle = eventually(lambda: child_of(outer.pid))
        deepest = f"/proc/{eventually(lambda: child_of(middle))}"
        other = f"/proc/{eventually(lambda: child_of(beside.pid))}"
        shell = f"/proc/{middle}"
        assert namespaces.has_pid_within(deepest, deepest)
        assert namespaces.has_pid_within(deepest, shell)
        assert namespaces.has_pid_within(deepest, "/proc/self")
        assert not namespaces.has_pid_within(shell, deepest)
        assert not namespaces.has_pid_within(other, shell)
        assert not namespaces.has_pid_within("/proc/self", shell)
    finally:
        for process in (outer, beside):
            process.kill()
            process.wait()


@pytest.mark.root
def test_a_mount_namespace_that_root_made_is_roots(tmp_path: Path) -> None:
    """There, what is mounted at /etc/hostname says whom to ask; two answers are none."""
    source = tmp_path / "containers" / ID / "hostname"
    other = tmp_path / "containers" / ("cd" * 32) / "hosts"
    for each in (source, other):
        each.parent.mkdir(parents=True)
        each.write_text("")
    for script, expected in (
        (f"mount --bind {source} /etc/hostname", ID),
        (f"mount --bind {source} /etc/hostname && mount --bind {other} /etc/hosts", ""),
        (f"mount -t tmpfs none /mnt && touch /mnt/f && mount --bind {source} /mnt/f", ""),
    ):
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", f"{script} && exec sleep 60"])
        try:
            proc = f"/proc/{process.pid}"
            eventually(lambda p=proc: Path(p, "comm").read_text() == "sleep\n")
            assert mounts.named(proc) == expected
        finally:
            process.kill()
            process.wait()


def test_only_what_engines_mount_names_a_container() -> None:
    """Files of these names, from a folder of the container's: nothing else in the file counts."""
    line = "1 2 8:1 {} {} rw - ext4 /dev/x rw\n"
    source = f"/var/lib/docker/containers/{ID}/hostname"
    podman = f"/lib/overlay-containers/{ID}/userdata/hosts"
    assert mounts.parse(line.format(source, "/etc/hostname").encode()) == {ID}
    assert mounts.parse(line.format(podman, "/etc/hosts").encode()) == {ID}
    for root, place in (
        (source, "/etc/shadow"),
        (f"/x/{ID}/hostname", "/etc/hostname"),
        (f"/containers/{ID}", "/etc/hostname"),
        (f"/containers/{ID}0/hostname", "/etc/hostname"),
    ):
        assert mounts.parse(line.format(root, place).encode()) == set()
    assert mounts.parse(b"\xff\n1 2\n") == set()
