"""In which PID namespaces a process is, as everybody may read it (proc_pid_status(5))."""

from typing import Final

MAX_BYTES: Final = 64 * 1024
_FIELD: Final = b"NSpid:"


class Gone(Exception):
    """There is no such process, usually because it has ended."""


def namespace_pids(proc: str, pid: int) -> tuple[int, ...]:
    """Return the process's PID in our namespace and in each one below it, the innermost last.

    Raises: Gone.
    """
    try:
        with open(f"{proc}/status", "rb") as file:
            status = file.read(MAX_BYTES)
    except OSError as error:
        raise Gone(f"{proc}/status cannot be read: {error.strerror}") from error
    # The first line holds the program's name, in which the kernel escapes a line feed.
    for line in status.split(b"\n"):
        if line.startswith(_FIELD):
            numbers = tuple(map(int, line[len(_FIELD) :].split()))
            if numbers[:1] != (pid,):
                raise Gone(f"{proc} is not the folder of process {pid}")
            return numbers
    return (pid,)
