"""The sockets at which the system's service manager can be asked, and the proof that it is ours.

Both were opened by systemd as process 1: its own at /run/systemd/private, for root alone, and the
system bus, which it hands to the bus. The kernel keeps who called listen(): if that is process 1 of
our own PID namespace, with uid 0, then the manager that answers means the same processes as we do.
Nothing is taken from the environment, and whoever replaced the socket's file would be seen.
"""

import errno
import socket
from dataclasses import dataclass
from typing import Final

from attestors.workload.systemd.unit import ManagerAway
from finial.runtime.peer import credentials


@dataclass(frozen=True, slots=True)
class Address:
    """A socket's path, and whether a bus stands behind it that wants to be greeted."""

    path: str
    is_bus: bool


PRIVATE: Final = Address("/run/systemd/private", is_bus=False)
SYSTEM_BUS: Final = Address("/run/dbus/system_bus_socket", is_bus=True)


def connect(address: Address) -> socket.socket:
    """Connect, which never waits, and make sure who listens. Raises: ManagerAway."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    try:
        sock.connect(address.path)
        judge(*credentials(sock), address.path)
    except OSError as error:
        sock.close()
        full = error.errno == errno.EAGAIN
        fault = "too many wait for it" if full else error.strerror
        raise ManagerAway(f"{address.path} cannot be reached: {fault}") from error
    except ManagerAway:
        sock.close()
        raise
    return sock


def judge(pid: int, uid: int, gid: int, path: str) -> None:
    """Make sure that process 1 of our own PID namespace listens. Raises: ManagerAway."""
    if (pid, uid) == (1, 0):
        return
    whose = f"process {pid} of uid {uid}" if pid else "a process that cannot be seen from here"
    raise ManagerAway(
        f"{path} was opened by {whose}, not by process 1 as root: it is not the service manager of "
        "this PID namespace, and its PIDs would mean other processes"
    )
