"""The workload attestor unix: from a process to uid, gid, groups, path and hash."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from attestors.contract import Attested, Failed, Finding, Process
from attestors.workload.unix import Settings, UnixAttestor, create, executable
from attestors.workload.unix.account_names import (
    MAX_NAMES,
    REMEMBERED,
    AccountNames,
    group_name,
    user_name,
)
from attestors.workload.unix.credentials import Credentials, Unreadable
from attestors.workload.unix.programs import MAX_HASHES, Found, Programs
from finial.runtime.clock import SystemClock
from finial.spiffe.refusal import Kind
from tests.doubles.clock import StandingClock

STATUS = (
    b"Name:\tsh\nUid:\t%d\t%d\t3\t4\nGid:\t5\t%d\t7\t8\nFDSize:\t64\nGroups:\t%s \nNStgid:\t1\n"
)
SLEEP = shutil.which("sleep") or "/bin/sleep"
SECONDS = 10.0


def status(uid: int = 1000, gid: int = 1000, groups: Sequence[int] = ()) -> bytes:
    return STATUS % (uid + 1, uid, gid, b" ".join(b"%d" % each for each in groups))


def proc_of(folder: Path, content: bytes, program: Path | None = None) -> str:
    """A folder that looks like a process's."""
    (folder / "status").write_bytes(content)
    if program is not None:
        (folder / "exe").unlink(missing_ok=True)
        (folder / "exe").symlink_to(program)
    return str(folder)


def attested(attestor: UnixAttestor, process: Process) -> Finding:
    async def whole() -> Finding:
        return await attestor.attest(process, SystemClock().monotonic() + SECONDS)

    return asyncio.run(whole())


def values(finding: Finding) -> list[str]:
    assert isinstance(finding, Attested)
    return [selector.value for selector in finding.selectors]


def named(lookup: dict[int, str]) -> AccountNames:
    return AccountNames(lookup.get, SystemClock())


def attestor(program: bool = False) -> UnixAttestor:
    clock = SystemClock()
    users, groups = named({1000: "web"}), named({1000: "web", 27: "payments"})
    return UnixAttestor(clock, users, groups, Programs(0, clock) if program else None)


def test_a_process_has_user_and_groups(tmp_path: Path) -> None:
    """uid, gid and supplementary groups come as numbers, and as names where there are (BW-01)."""
    proc = proc_of(tmp_path, status(groups=(27, 99)))
    assert values(attested(attestor(), Process(7, 1000, 1000, proc))) == [
        "uid:1000",
        "gid:1000",
        "user:web",
        "group:web",
        "supplementary_gid:27",
        "supplementary_group:payments",
        "supplementary_gid:99",
    ]


@pytest.mark.parametrize(("uid", "gid"), [(0, 1000), (1000, 0)])
def test_other_credentials_than_at_connecting_are_denied(
    tmp_path: Path, uid: int, gid: int
) -> None:
    """A process whose uid or gid changed since it connected gets nothing at all."""
    proc = proc_of(tmp_path, status(uid, gid))
    finding = attested(attestor(), Process(7, 1000, 1000, proc))
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Name:\tsh\n",
        status()[:-30],
        status().replace(b"Uid:\t", b"Uid:\tx"),
        status(groups=range(1025)),
        b"Name:\tsh\nUid:\t1\nGid:\t1\nGroups:\t\n",
    ],
)
def test_a_status_that_the_kernel_does_not_write_is_unreadable(content: bytes) -> None:
    """A status that is cut short, malformed or endless is an error, never a guess."""
    with pytest.raises(Unreadable):
        Credentials.parse(content)


def test_a_process_without_a_folder_is_unavailable(tmp_path: Path) -> None:
    """A process that is gone before it was looked at is a failure, not an exception."""
    finding = attested(attestor(), Process(7, 0, 0, str(tmp_path / "gone")))
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.UNAVAILABLE


@pytest.fixture
def sleeping() -> Iterator[Callable[[str], Process]]:
    """Start a program that sleeps, and describe its process."""
    started: list[subprocess.Popen[bytes]] = []

    def start(path: str) -> Process:
        started.append(subprocess.Popen([path, "60"]))
        pid = started[-1].pid
        return Process(pid, os.geteuid(), os.getegid(), f"/proc/{pid}")

    yield start
    for process in started:
        process.kill()
        process.wait()


def digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_program_has_path_and_hash(sleeping: Callable[[str], Process]) -> None:
    """`unix:path` is the program's file and `unix:sha256` its content (BW-01)."""
    real = os.path.realpath(SLEEP)
    found = values(attested(create(Settings()), sleeping(SLEEP)))
    assert found[-2:] == [f"path:{real}", f"sha256:{digest(real)}"]


def test_a_program_from_elsewhere_has_path_and_hash(
    tmp_path: Path, sleeping: Callable[[str], Process]
) -> None:
    """A program outside the system's folders is looked at in a thread, with the same result."""
    copy = shutil.copy(SLEEP, tmp_path / "my sleep")
    found = values(attested(create(Settings()), sleeping(str(copy))))
    assert found[-2:] == [f"path:{tmp_path}/my sleep", f"sha256:{digest(SLEEP)}"]


def test_a_program_that_was_replaced_has_no_path(
    tmp_path: Path, sleeping: Callable[[str], Process]
) -> None:
    """Where the path now leads to another file, or nowhere, only the hash is given."""
    copy = tmp_path / "sleep"
    shutil.copy(SLEEP, copy)
    process = sleeping(str(copy))
    copy.unlink()
    for content in (None, b"something else"):
        if content is not None:
            copy.write_bytes(content)
        finding = attested(create(Settings()), process)
        assert [each for each in values(finding) if each.startswith("path:")] == []
        assert values(finding)[-1] == f"sha256:{digest(SLEEP)}"
        assert isinstance(finding, Attested)
        assert finding.remarks


def test_a_name_that_is_another_file_is_no_path(tmp_path: Path) -> None:
    """A name under which another file runs is told from the file by device and inode."""
    (tmp_path / "good").write_bytes(b"good")
    (tmp_path / "evil").write_bytes(b"evil")
    proc = proc_of(tmp_path, status(), tmp_path / "evil")
    program = executable.identify(proc, str(tmp_path / "good"))
    assert not program.path
    assert "another file" in program.remark
    assert executable.identify(proc, str(tmp_path / "evil")).path == str(tmp_path / "evil")


def test_a_path_that_is_no_line_is_not_given(tmp_path: Path) -> None:
    """A path with control characters or bytes that are no text makes no selector."""
    for name in ("a\nb", "a\udcff"):
        (tmp_path / name).write_bytes(b"program")
        proc = proc_of(tmp_path, status(), tmp_path / name)
        program = executable.identify(proc, str(tmp_path / name))
        assert (program.path, "cannot be written" in program.remark) == ("", True)


def test_discovery_can_be_turned_off(sleeping: Callable[[str], Process]) -> None:
    """Without `discover_workload_path` nothing is said of the program but why not (QW-01)."""
    finding = attested(create(Settings(discover_workload_path=False)), sleeping(SLEEP))
    assert not [each for each in values(finding) if each.startswith(("path:", "sha256:"))]
    assert isinstance(finding, Attested)
    assert "no unix:path: the setting discover_workload_path is off" in finding.remarks


def test_a_limit_below_zero_hashes_nothing(sleeping: Callable[[str], Process]) -> None:
    """With `workload_size_limit` below 0 there is a path and no hash (BW-01)."""
    finding = attested(create(Settings(workload_size_limit=-1)), sleeping(SLEEP))
    assert values(finding)[-1] == f"path:{os.path.realpath(SLEEP)}"
    assert isinstance(finding, Attested)
    assert "no unix:sha256: the setting workload_size_limit is below 0" in finding.remarks


def test_a_program_over_the_limit_fails(sleeping: Callable[[str], Process]) -> None:
    """A program larger than `workload_size_limit` fails the whole attestation (BW-01)."""
    finding = attested(create(Settings(workload_size_limit=10)), sleeping(SLEEP))
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.PRECONDITION
    assert isinstance(
        attested(create(Settings(workload_size_limit=10**9)), sleeping(SLEEP)), Attested
    )


def test_a_program_that_cannot_be_looked_at_costs_only_its_selectors(tmp_path: Path) -> None:
    """Where /proc/<pid>/exe is closed to the agent, uid and gid are given all the same."""
    finding = attested(attestor(program=True), Process(7, 1000, 1000, proc_of(tmp_path, status())))
    assert isinstance(finding, Attested)
    assert values(finding)[:2] == ["uid:1000", "gid:1000"]
    assert "cannot be looked at" in finding.remarks[0]


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    """A hash is remembered for one content: after a change the new one is told."""
    program = tmp_path / "program"
    proc = proc_of(tmp_path, status(), program)
    reader = attestor(program=True)
    process = Process(7, 1000, 1000, proc)
    for content in (b"first", b"other"):
        program.write_bytes(content)
        os.utime(program, ns=(0, 0))
        for _ in range(2):
            assert values(attested(reader, process))[-1] == f"sha256:{digest(program)}"


def test_hashes_are_bounded(tmp_path: Path) -> None:
    """However many programs run, only the last hashes are remembered."""
    programs = Programs(0, SystemClock())
    key = executable.FileKey.of(tmp_path.stat())
    for inode in range(MAX_HASHES + 50):
        programs._remember(executable.FileKey(1, inode, key.size, 0, 0), "")
    assert len(programs._hashes) == MAX_HASHES


def test_many_processes_of_one_program_are_hashed_once(tmp_path: Path) -> None:
    """A program that many start at the same time is read once for all of them."""
    program = tmp_path / "program"
    program.write_bytes(b"x" * 100_000)
    proc = proc_of(tmp_path, status(), program)
    reader = attestor(program=True)

    async def whole() -> tuple[list[Finding], int]:
        deadline = SystemClock().monotonic() + SECONDS
        process = Process(7, 1000, 1000, proc)
        found = await asyncio.gather(*(reader.attest(process, deadline) for _ in range(20)))
        assert reader._programs is not None
        return found, len(reader._programs._hashes)

    found, hashes = asyncio.run(whole())
    assert {values(each)[-1] for each in found} == {f"sha256:{digest(program)}"}
    assert hashes == 1


def test_a_name_is_looked_up_once_in_a_minute() -> None:
    """A name, or that there is none, is remembered for a minute and then looked up again."""
    clock, asked = StandingClock(), []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        return None if uid == 5 else f"user-{uid}"

    async def whole() -> None:
        names = AccountNames(lookup, clock)
        assert names.known((5, 6)) is None
        assert await names.find((5, 6, 6), SECONDS) == {5: None, 6: "user-6"}
        assert names.known((5, 6)) == {5: None, 6: "user-6"}
        assert await names.find((5, 6), SECONDS) == {5: None, 6: "user-6"}
        assert sorted(asked) == [5, 6]
        clock.advance(REMEMBERED)
        assert names.known((6,)) is None
        await names.find((6,), SECONDS)

    asyncio.run(whole())
    assert sorted(asked) == [5, 6, 6]


def test_a_slow_directory_costs_only_names() -> None:
    """A user database that does not answer holds up nobody beyond their deadline."""
    answer, asked = threading.Event(), []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        answer.wait(SECONDS)
        return "late"

    async def whole() -> None:
        names = AccountNames(lookup, SystemClock())
        assert await names.find((6,), 0.0) == {}
        waiting = asyncio.create_task(names.find((6,), SECONDS))
        assert await names.find((6,), 0.0) == {}
        answer.set()
        assert await waiting == {6: "late"}

    asyncio.run(whole())
    assert asked == [6]


def test_a_lookup_that_fails_is_tried_again() -> None:
    """A user database that breaks is a bug told to whoever asks, and is asked again."""
    asked = []

    def lookup(uid: int) -> str | None:
        asked.append(uid)
        if len(asked) == 1:
            raise RuntimeError("broken")
        return "web"

    async def whole() -> None:
        names = AccountNames(lookup, SystemClock())
        with pytest.raises(RuntimeError):
            await names.find((6,), SECONDS)
        assert await names.find((6,), SECONDS) == {6: "web"}

    asyncio.run(whole())


def test_names_are_bounded() -> None:
    """However many users call, only the last names are remembered."""

    async def whole() -> None:
        names = AccountNames(str, SystemClock())
        await names.find(range(MAX_NAMES + 20), SECONDS)
        assert len(names._known) == MAX_NAMES

    asyncio.run(whole())


def test_without_time_names_are_left_out_with_a_remark(tmp_path: Path) -> None:
    """A deadline that has passed costs the names that are not remembered, and says so."""
    proc = proc_of(tmp_path, status())

    async def whole() -> Finding:
        return await attestor().attest(Process(7, 1000, 1000, proc), 0.0)

    finding = asyncio.run(whole())
    assert values(finding)[:2] == ["uid:1000", "gid:1000"]


def test_names_come_from_this_machine() -> None:
    """User and group 0 have names here, and a number that nobody has is none."""
    assert user_name(0) == "root"
    assert group_name(0)
    assert user_name(2**31 - 7) is None
    assert group_name(2**31 - 7) is None


class RestlessPrograms(Programs):
    """While the program is looked at, the process executes a set-uid one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(0, SystemClock())
        self._folder = folder

    async def find(self, process: Process, deadline: float) -> Found:
        found = await super().find(process, deadline)
        proc_of(self._folder, status(uid=0))
        return found


def test_a_set_uid_program_begun_between_two_looks_was_not_noticed(tmp_path: Path) -> None:
    """uid and gid are read last, so that no program's name goes to who began it set-uid."""
    proc = proc_of(tmp_path, status(), Path(SLEEP))
    users, groups = named({1000: "web"}), named({1000: "web"})
    restless = UnixAttestor(SystemClock(), users, groups, RestlessPrograms(tmp_path))
    finding = attested(restless, Process(7, 1000, 1000, proc))
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED
