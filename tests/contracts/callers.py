"""Real processes that connect to a Unix socket, as users other than ours."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attestors.contract import Finding, Process
from attestors.workload import unix
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer

# Every user can run the system's interpreter; the one that runs the tests may stand below a home.
PYTHON = os.path.realpath("/usr/bin/python3")
SLEEP = os.path.realpath(shutil.which("sleep") or "/bin/sleep")
UID, GID = 54_321, 54_322

CONNECT = """
import os, socket, sys
caller = socket.socket(socket.AF_UNIX)
caller.connect(sys.argv[1])
os.set_inheritable(caller.fileno(), True)
"""


class Counter:
    """A listening socket that any user can reach, in a folder that any user can look into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "socket")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self._listener.listen()
        self._listener.settimeout(20)
        self._started: list[subprocess.Popen[bytes]] = []

    def program(self, name: str, source: str, mode: int = 0o755) -> str:
        """Copy a program to where every user can run it."""
        copy = self.folder / name
        shutil.copy(source, copy)
        copy.chmod(mode)
        return str(copy)

    def script(self, text: str) -> str:
        """Write a script that connects and then does what the text says."""
        path = self.folder / f"script-{len(list(self.folder.iterdir()))}.py"
        path.write_text(CONNECT + text)
        path.chmod(0o644)
        return str(path)

    def start(self, *command: str, uid: int = UID, gid: int = GID) -> "subprocess.Popen[bytes]":
        """Start a command as a user without any groups."""
        process = subprocess.Popen(
            [*command, self.path],
            user=uid,
            group=gid,
            extra_groups=[],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )
        self._started.append(process)
        return process

    @contextmanager
    def accepted(self) -> Iterator[KernelPeer]:
        """Accept the next caller, as the agent does."""
        connection, _ = self._listener.accept()
        with connection:
            peer = KernelPeer.of(connection)
            try:
                yield peer
            finally:
                peer.close()

    def close(self) -> None:
        """End everyone who was started."""
        self._listener.close()
        for process in self._started:
            process.kill()
            process.communicate()


@contextmanager
def counter() -> Iterator[Counter]:
    """Open for callers, in a folder of its own."""
    with TemporaryDirectory(prefix="finial-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        opened = Counter(Path(name))
        try:
            yield opened
        finally:
            opened.close()


def attest(peer: KernelPeer) -> Finding:
    """Attest a caller by the unix attestor, without asking afterwards whether it still lives."""

    async def whole() -> Finding:
        attestor = unix.create(unix.Settings())
        process = Process(peer.pid, peer.uid, peer.gid, peer.proc)
        return await attestor.attest(process, SystemClock().monotonic() + 20)

    return asyncio.run(whole())
