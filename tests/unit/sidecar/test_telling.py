"""Having a program read its files anew."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.sidecar.settings import SvidFiles
from cli.sidecar.telling import judge_command, tell
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock


def told(**wanted: Any) -> str:
    return asyncio.run(tell(SvidFiles(Path("/x"), **wanted), StandingClock()))


def refused(**wanted: Any) -> str:
    with pytest.raises(Refusal) as caught:
        told(**wanted)
    assert caught.value.kind is Kind.PRECONDITION
    return caught.value.detail


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    pipe = subprocess.PIPE
    with subprocess.Popen(["/bin/cat"], stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"x")
        process.stdout.read(1)  # it has become that program
        yield process
        process.kill()


def named(folder: Path, pid: object, mode: int = 0o644) -> Path:
    path = folder / "x.pid"
    path.write_text(f"{pid}\nmore\n")
    path.chmod(mode)
    return path


def test_nobody_has_to_be_told() -> None:
    """A program that looks by itself needs neither signal nor command."""
    assert told() == ""


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """Arguments reach the program as they are."""
    trick = f"$(touch {tmp_path}/shell); touch {tmp_path}/shell"
    assert told(command=("/bin/echo", trick)) == "ran /bin/echo"
    assert not (tmp_path / "shell").exists()


def test_a_command_gets_nothing_of_ours() -> None:
    """Neither our environment nor our umask, nor our standard input."""
    script = 'umask; env; read line || echo "no input"; exit 9'
    said = refused(command=("/bin/sh", "-c", script))
    assert "0022" in said
    assert "no input" in said
    assert "HOME" not in said


def test_a_command_that_fails_says_why() -> None:
    """Its status and what it said, on one line, harmless to a terminal, and not all of it."""
    said = refused(command=("/bin/sh", "-c", "printf 'no\\033[31m\\nway'; exit 3"))
    assert said == "/bin/sh ended with status 3: no\\x1b[31m\\nway"
    assert "said nothing" in refused(command=("/bin/false",))
    long = refused(command=("/bin/sh", "-c", "yes | head -c 1000000; exit 1"))
    assert len(long) < 5000


def test_a_command_that_hangs_is_ended() -> None:
    """It and whoever it started have as long as the operator gave them."""
    assert "did not end within 1 s" in refused(
        command=("/bin/sh", "-c", "sleep 60 & sleep 60"), timeout=1.0
    )


def test_what_a_command_leaves_behind_holds_nothing_up() -> None:
    """A daemon that keeps its output open does not keep us from being done."""
    script = "sleep 0.1; sleep 3 & exit 0"
    assert told(command=("/bin/sh", "-c", script), timeout=2.0) == "ran /bin/sh"
    assert "status 3: once" in refused(
        command=("/bin/sh", "-c", "sleep 0.1; echo once; sleep 3 & exit 3"), timeout=2.0
    )


def test_what_a_command_that_hangs_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """What is in a session of its own gets no signal of ours, and holds the output open."""
    left = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 20'"
    script = f"{left} & until test -s {tmp_path}/pid; do sleep 0.05; done; sleep 60"
    assert "did not end" in refused(command=("/bin/sh", "-c", script), timeout=2.0)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it is still there


def test_a_command_that_the_kernel_does_not_take_is_a_failure_like_others(tmp_path: Path) -> None:
    """A script without its first line, or whose interpreter is missing, ends no sidecar."""
    program = tmp_path / "p"
    for first in ("", "#!/no/such/interpreter\n"):
        program.write_text(first + "true\n")
        program.chmod(0o755)
        assert refused(command=(str(program),)).startswith(str(program))


def test_a_command_that_others_can_change_is_not_run(tmp_path: Path) -> None:
    """A missing program, one that is none, and one that others could replace."""
    program = tmp_path / "p"
    with pytest.raises(Refusal, match="cannot be run"):
        judge_command((str(program),))
    program.write_text("#!/bin/sh\n")
    with pytest.raises(Refusal, match="no program"):
        judge_command((str(tmp_path),))
    program.chmod(0o775)
    with pytest.raises(Refusal, match="changed by others"):
        judge_command((str(program),))
    program.chmod(0o755)
    judge_command((str(program),))


def test_a_command_in_a_folder_that_others_can_change_is_not_run(tmp_path: Path) -> None:
    """They could put another program of ours, or of root's, in its place; also behind a link."""
    there = tmp_path / "there"
    there.mkdir()
    program, link = there / "p", tmp_path / "p"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link.symlink_to(program)
    judge_command((str(link),))
    there.chmod(0o777)
    for each in (program, link):
        with pytest.raises(Refusal, match="there can be written by others"):
            judge_command((str(each),))


def test_the_process_of_a_pid_file_gets_the_signal(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """The first line names it, as PostgreSQL's postmaster.pid does."""
    path = named(tmp_path, sleeper.pid)
    assert told(pid_file=path) == f"sent SIGHUP to process {sleeper.pid}"
    assert sleeper.wait(10) == -signal.SIGHUP


def test_a_program_that_does_not_run_has_nothing_to_be_told(tmp_path: Path) -> None:
    """It will read the files when it starts."""
    with subprocess.Popen(["/bin/true"]) as gone:
        gone.wait()
    assert "nobody to tell" in told(pid_file=tmp_path / "missing.pid")
    assert "nobody to tell" in told(pid_file=named(tmp_path, gone.pid))


def test_another_program_is_not_told(tmp_path: Path, sleeper: "subprocess.Popen[bytes]") -> None:
    """A pid file that outlived its program may name anybody, whom a signal could end."""
    path = named(tmp_path, sleeper.pid)
    assert "'cat', not nginx" in refused(pid_file=path, program="nginx")
    assert sleeper.poll() is None


@pytest.mark.parametrize("content", ["", "x", "-1", "0", "1", "99999999999", "٣"])
def test_a_pid_file_names_a_process(tmp_path: Path, content: str) -> None:
    """Not everybody (-1), not our own group (0), not the first process (1)."""
    assert "names no process" in refused(pid_file=named(tmp_path, content))


def test_a_pid_file_that_others_can_write_is_not_believed(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """They could have us signal anybody."""
    assert "not believed" in refused(pid_file=named(tmp_path, sleeper.pid, 0o666))
    link = tmp_path / "link.pid"
    link.symlink_to(named(tmp_path, sleeper.pid))
    assert "cannot be read" in refused(pid_file=link)
    os.mkfifo(tmp_path / "fifo.pid", 0o600)
    assert "not believed" in refused(pid_file=tmp_path / "fifo.pid")
    assert sleeper.poll() is None


@pytest.mark.root
def test_a_pid_file_of_somebody_else_names_their_own_processes(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """PostgreSQL's user may have PostgreSQL signalled, and nobody else."""
    path = named(tmp_path, sleeper.pid)
    os.chown(path, 41001, 41001)
    assert "names a process of somebody else" in refused(pid_file=path)
    with subprocess.Popen(["/bin/sleep", "60"], user=41001) as theirs:
        path.write_text(str(theirs.pid))
        assert told(pid_file=path).startswith("sent SIGHUP")
        assert theirs.wait(10) == -signal.SIGHUP
