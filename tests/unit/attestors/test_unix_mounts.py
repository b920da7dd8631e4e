"""Programs on file systems that somebody may serve who means no good, and threads that never end."""

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attestors.contract import Attested, Process
from attestors.workload.unix import Settings, create, executable
from attestors.workload.unix.programs import Found, Programs
from attestors.workload.unix.threads import PER_USER, Threads
from finial.runtime.clock import SystemClock

OWN_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")

Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command that says something when it is where it is to be, and sleeps."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*command: str) -> Process:
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stdout = started[-1].stdout
        assert stdout is not None
        assert stdout.readline(), "the command did not start"
        pid = started[-1].pid
        return Process(pid, os.geteuid(), os.getegid(), f"/proc/{pid}")

    yield begin
    for process in started:
        process.kill()
        process.communicate()


class Hasty(SystemClock):
    """For which hours pass in a second."""

    def monotonic(self) -> float:
        return super().monotonic() * 10_000


def attested(process: Process) -> Attested:
    async def whole() -> Attested:
        found = await create(Settings()).attest(process, SystemClock().monotonic() + 10)
        assert isinstance(found, Attested)
        return found

    return asyncio.run(whole())


def forms(found: Attested) -> set[str]:
    return {each.value.partition(":")[0] for each in found.selectors}


def waiting(program: str) -> str:
    """A shell that says it runs, in the file of a program that is a shell."""
    return f"exec {program} -c 'echo here; read end'"


@pytest.mark.root
def test_what_a_user_mounted_is_not_looked_at(start: Start, tmp_path: Path) -> None:
    """Who serves a file system says what they like, and lets whoever asks wait for ever."""
    mount = f"mount -t tmpfs none {tmp_path} && cp /bin/sh {tmp_path}/prog"
    process = start(*OWN_NAMESPACES, f"{mount} && {waiting(f'{tmp_path}/prog')}")
    found = attested(process)
    assert forms(found).isdisjoint({"path", "sha256"})
    assert any("its user may have mounted" in each for each in found.remarks)
    # The same file, executed by somebody who is in no such namespace.
    outside = start(f"{process.proc}/root{tmp_path}/prog", "-c", "echo here; read end")
    assert forms(attested(outside)).isdisjoint({"path", "sha256"})


@pytest.mark.root
def test_what_root_mounted_is_looked_at_from_any_namespace(start: Start) -> None:
    """A program of the machine keeps path and hash, and one in a container its hash."""
    within = start(*OWN_NAMESPACES, waiting("/bin/sh"))
    assert {"path", "sha256"} <= forms(attested(within))
    mount = "mount -t tmpfs none /mnt && cp /bin/sh /mnt/prog"
    contained = start("unshare", "--mount", "sh", "-c", f"{mount} && {waiting('/mnt/prog')}")
    found = attested(contained)
    assert "sha256" in forms(found)
    assert "path" not in forms(found)


def test_only_the_systems_programs_are_looked_at_at_once(start: Start, tmp_path: Path) -> None:
    """A name below /usr is not enough: the kernel has to say that it is our own mount."""
    process = start("/bin/sh", "-c", "echo here; read end")
    link, mounts = executable.link_of(process.proc), executable.prompt_mounts()
    found = executable.identify_at_once(process.proc, link, mounts)
    assert found is not None
    assert found.path == link
    assert executable.identify_at_once(process.proc, link, ()) is None
    assert executable.identify_at_once(process.proc, str(tmp_path / "sh"), mounts) is None


def test_a_program_without_end_is_not_read_to_its_end(start: Start, tmp_path: Path) -> None:
    """Of holes, anybody makes a program of terabytes; reading it would never let the agent end."""
    program = tmp_path / "prog"
    shutil.copy("/bin/sh", program)
    os.truncate(program, 2**40)
    process = start(str(program), "-c", "echo here; read end")

    async def whole() -> Found:
        clock = Hasty()
        return await Programs(0, clock).find(process, clock.monotonic() + 1e6)

    found = asyncio.run(whole())
    assert found.values == (f"path:{program}",)
    assert found.remarks == ("no unix:sha256: it takes too long to read the program",)


def test_whoever_hangs_threads_hangs_their_own() -> None:
    """With all of one user's threads stuck, another user's questions are answered."""
    released = threading.Event()

    async def whole() -> None:
        clock = SystemClock()
        threads, deadline = Threads(clock), clock.monotonic() + 10
        stuck = [await threads.start(1, released.wait, deadline) for _ in range(PER_USER)]
        with pytest.raises(TimeoutError):
            await threads.run(1, released.wait, clock.monotonic() + 0.01)
        with pytest.raises(TimeoutError):
            await threads.result(stuck[0], clock.monotonic())
        assert await threads.run(2, lambda: "answer", deadline) == "answer"
        assert await threads.run(None, lambda: "answer", deadline) == "answer"
        released.set()
        assert await threads.run(1, lambda: "answer", deadline) == "answer"
        await asyncio.gather(*stuck)
        assert not threads._turns

    asyncio.run(whole())
