"""Has a program read its files anew: a signal to the process of a pid file, or a command.

nginx and HAProxy answer a signal with new workers, or not at all where they cannot use what they
read. HAProxy loses a signal that comes while it is still starting its workers. So a signal has had
its effect when there is a new worker; until then the telling has failed and is tried again.
"""

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path
from typing import Final

from cli.sidecar.folder import judge_way
from cli.sidecar.settings import SvidFiles
from finial.runtime.clock import Clock
from finial.runtime.files import UnsafePath
from finial.runtime.reporting.logging import neutralise
from finial.spiffe.refusal import Kind, Refusal

_PROCESSES: Final = {"nginx": "nginx", "haproxy": "haproxy", "postgresql": "postgres"}
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_HAVE_WORKERS: Final = ("nginx", "haproxy")
_POLL: Final = 0.05
_SETTLE: Final = 0.5
_MOST_OUTPUT: Final = 2000
_LAST_WORDS: Final = 0.2
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


async def tell(wanted: SvidFiles, clock: Clock) -> str:
    """Have the program read its files anew, and say in words what was done.

    A program that does not run has nothing to be told. Raises: Refusal of kind PRECONDITION.
    """
    try:
        if wanted.command:
            return await _run(wanted.command, wanted.timeout)
        if wanted.process_file is not None:
            return await _signal(wanted, wanted.process_file, clock)
    except OSError as fault:
        whom = wanted.command[0] if wanted.command else wanted.process_file
        raise _failed(f"{whom}: {fault.strerror or fault}") from None
    return ""


def judge_command(command: tuple[str, ...]) -> None:
    """Make sure that a command can be run, and is nobody else's to change.

    Raises: Refusal of kind PRECONDITION.
    """
    if not command:
        return
    program = Path(command[0])
    try:
        found = program.stat()
    except OSError as fault:
        raise _failed(f"{program} cannot be run: {fault.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
        raise _failed(f"{program} is no program that we may run")
    if found.st_mode & _OTHERS or found.st_uid not in (0, os.geteuid()):
        raise _failed(f"{program} can be changed by others, so it is not run")
    try:
        for way in (program, program.resolve()):
            judge_way(way)
    except (UnsafePath, OSError) as fault:
        raise _failed(f"{program} can be replaced, so it is not run: {fault}") from None


async def _signal(wanted: SvidFiles, pid_file: Path, clock: Clock) -> str:
    name = _PROCESSES.get(wanted.program, "")
    number = wanted.signal_number
    try:
        pid, owner = _read_pid(pid_file)
        workers = _children(pid)
        _send(pid_file, pid, owner, name, number)
    except (FileNotFoundError, ProcessLookupError):
        return f"nobody to tell: no process runs that {pid_file} names"
    if wanted.program in _HAVE_WORKERS and workers:
        await _await_workers(pid, name, workers, wanted.timeout, clock)
    return f"sent {number.name} to {name or 'process'} {pid}"


def _send(pid_file: Path, pid: int, owner: int, name: str, number: signal.Signals) -> None:
    process = os.pidfd_open(pid)
    try:
        _judge_process(pid_file, pid, owner, name)
        signal.pidfd_send_signal(process, number)
    except PermissionError:
        raise _failed(
            f"{number.name} to {name or 'the process'} {pid} is not permitted: run as its user"
            " or as root, or give a command"
        ) from None
    finally:
        os.close(process)


async def _await_workers(
    pid: int, name: str, former: frozenset[int], timeout: float, clock: Clock
) -> None:
    end = clock.monotonic() + timeout
    while not _children(pid) - former:
        if clock.monotonic() >= end:
            raise _failed(
                f"{name} {pid} has no new worker after {timeout:g} s: its own log says why"
            )
        await clock.sleep(_POLL)
    # HAProxy is not ready for the next signal yet.
    await clock.sleep(_SETTLE)


def _children(pid: int) -> frozenset[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return frozenset()
    return frozenset(map(int, listed.split()))


def _read_pid(pid_file: Path) -> tuple[int, int]:
    try:
        descriptor = os.open(pid_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise _failed(f"{pid_file} cannot be read: {fault.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_mode & _OTHERS:
            raise _failed(f"{pid_file} can be written by others, so it is not believed")
        # postmaster.pid has more lines; the first one is the process.
        first = file.read(200).partition(b"\n")[0].strip()
    if not first.isdigit() or not 1 < int(first) < 2**22 + 1:
        raise _failed(f"{pid_file} names no process")
    return int(first), found.st_uid


def _judge_process(pid_file: Path, pid: int, owner: int, name: str) -> None:
    """Believe a pid file of somebody else only about processes of their own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError as fault:
        raise _failed(f"process {pid} cannot be looked at (hidepid?): {fault.strerror}") from None
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if owner not in (0, os.geteuid()) and int(fields["Uid"].split()[0]) != owner:
        raise _failed(f"{pid_file} belongs to uid {owner}, and names a process of somebody else")
    if name and fields["Name"] != name:
        raise _failed(
            f"{pid_file} names process {pid}, which is {neutralise(fields['Name'])!r}, not {name}"
        )


async def _run(command: tuple[str, ...], timeout: float) -> str:
    judge_command(command)
    output = _Output()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output.theirs,
            stderr=asyncio.subprocess.STDOUT,
            env=_ENVIRONMENT,
            cwd="/",
            umask=0o022,
            start_new_session=True,
        )
        output.listen()
        status = await _end_of(process, command[0], timeout)
        if status != 0:
            await output.end(_LAST_WORDS)
            raise _failed(f"{command[0]} ended with status {status}: {output.words()}")
    finally:
        output.close()
    return f"ran {command[0]}"


async def _end_of(process: asyncio.subprocess.Process, name: str, timeout: float) -> int:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            return await process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # One that took another user's rights, as sudo does, goes on, and we do not wait for it.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            await process.wait()
    raise _failed(f"{name} did not end within {timeout:g} s")


class _Output:
    """What a command says, the first of it.

    The pipe is ours and not asyncio's, which takes a process for ended when its output is: what a
    command leaves running in the background may hold that open for ever.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.theirs, True)
        self._said = bytearray()
        self._ended = asyncio.Event()

    def listen(self) -> None:
        """Begin to read; the command has its end of the pipe."""
        os.close(self.theirs)
        self.theirs = -1
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    async def end(self, seconds: float) -> None:
        """Wait until nobody can say anything more, for a bounded time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    def words(self) -> str:
        """Return what was said, made harmless."""
        return neutralise(self._said.decode("utf-8", "replace").strip()) or "it said nothing"

    def close(self) -> None:
        """Listen no more."""
        if self.theirs >= 0:
            os.close(self.theirs)
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)

    def _read(self) -> None:
        try:
            chunk = os.read(self._ours, 4096)
        except BlockingIOError:
            return
        self._said += chunk[: _MOST_OUTPUT - len(self._said)]
        if not chunk:
            self._ended.set()
            asyncio.get_running_loop().remove_reader(self._ours)


def _failed(detail: str) -> Refusal:
    return Refusal(Kind.PRECONDITION, detail)
