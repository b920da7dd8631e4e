"""What the kernel says of a process that is not at the other end of a connection."""

import os
from dataclasses import dataclass
from typing import Final

from agent.attestation.attempt import Caller
from finial.runtime.peer import KernelPeer, PeerGone, start_time
from finial.spiffe.refusal import Kind, Refusal

MAX_STATUS: Final = 64 * 1024
MAX_CGROUP: Final = 8 * 1024
LONGEST_NAME: Final = 4096


def caller_of(peer: KernelPeer) -> Caller:
    """Describe the process that connected, as far as it can still be seen."""
    try:
        started, group = start_time(peer.pid), _group(peer.pid)
        peer.check()
    except (PeerGone, OSError):
        return Caller(peer.pid, peer.uid, peer.gid)
    return Caller(peer.pid, peer.uid, peer.gid, started, program(peer.pid), group)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that runs now; `since` is when it started, in Unix seconds, about."""

    caller: Caller
    since: float


def running(pid: int) -> Running:
    """Look at a process by its number.

    Raises: Refusal of kind NOT_FOUND, INVALID.
    """
    if not 0 < pid < 2**31 - 1:
        raise Refusal(Kind.INVALID, "a process has a number above 0", field="pid", value=str(pid))
    try:
        started = start_time(pid)
        uid, gid = _effective(pid)
    except (PeerGone, OSError, ValueError) as gone:
        raise Refusal(
            Kind.NOT_FOUND,
            f"there is no process {pid} that this agent can see",
            field="pid",
            value=str(pid),
            remedy="give the number that it has where the agent runs: ps shows it there",
        ) from gone
    caller = Caller(pid, uid, gid, started, program(pid))
    return Running(caller, started_at(caller))


def ended(caller: Caller) -> bool:
    """Whether a process that was seen is there no more."""
    try:
        started = start_time(caller.pid)
    except (PeerGone, OSError):
        return True
    return started != caller.started


def started_at(caller: Caller) -> float:
    """When a process started, in Unix seconds, about; 0 if that is not known."""
    return _booted() + _seconds(caller.started) if caller.started else 0.0


def program(pid: int) -> str:
    """Return what a process calls its program, empty if we may not know."""
    try:
        path = os.readlink(f"/proc/{pid}/exe".encode())
    except OSError:
        return ""
    # A name may be any bytes; what is no text is escaped.
    return path[:LONGEST_NAME].decode("utf-8", "backslashreplace")


def _group(pid: int) -> int:
    """A number that all processes have which are where this one is."""
    with open(f"/proc/{pid}/cgroup", "rb") as file:
        return hash(file.read(MAX_CGROUP))


def _effective(pid: int) -> tuple[int, int]:
    with open(f"/proc/{pid}/status", "rb") as file:
        status = file.read(MAX_STATUS)
    return _second(status, b"\nUid:"), _second(status, b"\nGid:")


def _second(status: bytes, name: bytes) -> int:
    begin = status.index(name) + len(name)
    return int(status[begin : status.index(b"\n", begin)].split()[1])


def _booted() -> float:
    with open("/proc/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return float(line.split()[1])
    return 0.0


def _seconds(ticks: int) -> float:
    return ticks / os.sysconf("SC_CLK_TCK")
