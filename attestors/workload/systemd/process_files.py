"""What the kernel says of a process's namespaces and control groups, in its folder of /proc."""

from typing import Final

MAX_BYTES: Final = 64 * 1024


class Gone(Exception):
    """The process's folder cannot be read, usually because it has ended."""


def namespace_pids(proc: str, pid: int) -> tuple[int, ...]:
    """Return the process's PID in our namespace and in each one below it (NSpid).

    Raises: Gone.
    """
    for line in _content(f"{proc}/status").split(b"\n"):
        if line.startswith(b"NSpid:"):
            numbers = tuple(map(int, line[6:].split()))
            if numbers[:1] != (pid,):
                raise Gone(f"{proc} is not the folder of process {pid}")
            return numbers
    return (pid,)


def control_groups(proc: str) -> str:
    """Return the process's control groups, a line for each hierarchy. Raises: Gone."""
    return _content(f"{proc}/cgroup").decode("utf-8", "surrogateescape")


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Gone(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise Gone(f"{path} is longer than {MAX_BYTES} bytes")
    return content
