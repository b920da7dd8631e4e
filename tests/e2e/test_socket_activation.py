"""An agent whose sockets somebody else keeps, as a service manager does, and who is restarted."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from finial.wire.join_string import JoinString, split_address
from tests.doubles.node_ca import NodeCa
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import ROOT, eventually, short_folder
from tests.doubles.workload import fetch

pytestmark = pytest.mark.slow
# What is passed takes the place of descriptor 3 in the very process that becomes the agent.
WRAPPER: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": sys.argv[2]}
os.execv(sys.argv[3], sys.argv[3:])
"""


class ActivatedAgent(AgentProgram):
    """An agent that gets the socket of its workloads at each start."""

    def keep(self, kept: socket.socket, name: str = "workload") -> None:
        self._kept = kept.fileno()
        self._command = [sys.executable, "-c", WRAPPER, str(self._kept), name, *self._command]

    def start(self, stdin: object = None) -> None:
        assert not self.runs
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                pass_fds=[self._kept],
            )  # fmt: skip


class Caller:
    """A client that connects again and again and counts what came of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.came: Counter[str] = Counter()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            with socket.socket(socket.AF_UNIX) as made:
                made.settimeout(20)
                try:
                    made.connect(str(self.path))
                    self.came["connected"] += 1
                except OSError as error:
                    self.came[type(error).__name__] += 1
            # Nobody takes them while the agent is away: 1024 may wait, which is for some 20 seconds.
            self._ended.wait(0.02)

    @contextmanager
    def calling(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def kept(place: Path) -> Iterator[socket.socket]:
    """A socket as a socket unit makes it."""
    folder = place / "agent" / "workload"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "workload.sock"))
        (folder / "workload.sock").chmod(0o777)
        made.listen(1024)
        yield made


@contextmanager
def agents(place: Path, kept: socket.socket) -> Iterator[ActivatedAgent]:
    nodes = NodeCa.made_in(place / "nodes")
    with closing(server := ServerProgram(place / "ca", {}, nodes.server)):
        server.begin()
        host, port = split_address(JoinString.parse(server.token()["join"]).servers[0])
        settings = {
            "trust_domain": "example.org", "server_address": host, "server_port": port,
            "trust_bundle_path": str(server.folder / "bundle.pem"),
        }  # fmt: skip
        with closing(agent := ActivatedAgent(place / "agent", settings, nodes.agent)):
            agent.keep(kept)
            server.entry(agent.begin().agent_id, "/w")
            eventually(lambda: fetch(agent.workload_socket), 10, "the workload has its SVID")
            yield agent


def test_nobody_is_refused_while_the_agent_is_replaced(place: Path, kept: socket.socket) -> None:
    """Whoever connects while the agent was killed or stopped waits, and gets its identity."""
    with agents(place, kept) as agent:
        inode = agent.workload_socket.lstat().st_ino
        caller = Caller(agent.workload_socket)
        with caller.calling():
            for number in (signal.SIGKILL, signal.SIGTERM):
                agent.signal(number)
                with socket.socket(socket.AF_UNIX) as early:
                    early.connect(str(agent.workload_socket))
                    waiting = Fetching(agent.workload_socket)
                    waiting.start()
                    agent.begin()
                    waiting.join(30)
                assert waiting.ids == ["spiffe://example.org/w"], agent.said
                assert agent.workload_socket.lstat().st_ino == inode
        agent.stop()
        assert agent.workload_socket.is_socket()
        assert caller.came.keys() == {"connected"}, caller.came
        assert caller.came["connected"] > 30
        assert "Traceback" not in agent.said


class Fetching(threading.Thread):
    """A workload that asks once, in its own time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.ids: list[str] = []

    def run(self) -> None:
        self.ids = [each for each, _ in fetch(self._path, timeout=30)]


def test_a_socket_of_another_name_stops_the_agent(place: Path, kept: socket.socket) -> None:
    """An agent that does not know what it was passed says so and does not start."""
    settings = {"trust_domain": "example.org", "server_address": "localhost"}
    with closing(
        agent := ActivatedAgent(place / "agent", {**settings, "insecure_bootstrap": True})
    ):
        agent.keep(kept, "finial-agent.socket")
        agent.start()
        assert agent.ended() != 0
        assert "a socket is named 'finial-agent.socket'" in agent.said
        assert "Traceback" not in agent.said
        assert "FileDescriptorName=" in agent.said
        assert os.path.exists(agent.workload_socket)
