"""The disks of server and agent fill up: refusals in words, nothing lost, recovery by itself."""

import errno
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing as closing_file
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from finial.spiffe.refusal import Kind
from tests.conftest import Requirements
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.other_user import ask_as
from tests.doubles.programs import eventually, short_folder
from tests.doubles.workload import fetch, fetch_jwt, refusal_of, status_of

pytestmark = [pytest.mark.root, pytest.mark.slow]
OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE


class SmallDisk:
    """A disk of a few megabytes that a test can fill up and empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave not one byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65_536, 4096, 512, 1):
                while self._append(file, size):
                    pass

    def free(self) -> None:
        self._ballast.unlink()

    def _append(self, file: Any, size: int) -> bool:
        try:
            written: int = file.write(bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        return written == size


@contextmanager
def small_disk(require: Requirements, folder: Path) -> Iterator[SmallDisk]:
    """Mount a small file system, or say that this machine does not allow it."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        require.missing(f"mounting is not allowed here ({done.stderr.strip()})", "sudo make test")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@contextmanager
def disk_of(require: Requirements, place: Path, name: str) -> Iterator[SmallDisk]:
    with small_disk(require, place / name) as disk:
        yield disk


@contextmanager
def joined(place: Path, server: ServerProgram, agent: AgentProgram) -> Iterator[str]:
    """Both programs at work, and a workload that is served."""
    with closing(server, agent):
        server.begin()
        (place / "join").write_text(server.token()["join"])
        agent_id = agent.begin().agent_id
        server.entry(agent_id, "/w")
        eventually(lambda: status_of(lambda: fetch(agent.workload_socket)) is OK, 10)
        yield agent_id


def create(server: ServerProgram, agent_id: str, number: int) -> httpx.Response:
    document = {
        "spiffe_id": f"spiffe://example.org/n/{number}",
        "parent_id": agent_id,
        "selectors": [f"unix:uid:{100_000 + number}"],
    }
    return server.rest("POST", "/v1/entries", json=document)


def until_refused(server: ServerProgram, agent_id: str) -> tuple[set[str], dict[str, Any]]:
    """Create entries until the server refuses; return what it acknowledged and how it refused."""
    acknowledged: set[str] = set()
    for number in range(500):
        answer = create(server, agent_id, number)
        if answer.status_code != 201:
            assert answer.status_code == 503, answer.text
            problem: dict[str, Any] = answer.json()
            return acknowledged, problem
        acknowledged.add(answer.json()["id"])
    raise AssertionError("the disk was never full")


def entries(server: ServerProgram) -> set[str]:
    return {each["id"] for each in server.every("/v1/entries")}


def test_the_servers_disk_is_full(require: Requirements, place: Path) -> None:
    """Creations and issuances are refused, what is held is served, and space brings all back."""
    with disk_of(require, place, "ca") as disk:
        server = ServerProgram(place / "ca")
        agent = AgentProgram(place / "agent", join=place / "join")
        with joined(place, server, agent) as agent_id:
            before = entries(server)
            pids = server.pid, agent.pid
            disk.fill()
            acknowledged, problem = until_refused(server, agent_id)
            check_words(problem)
            assert entries(server) >= before | acknowledged
            code, said = refusal_of(lambda: fetch_jwt(agent.workload_socket, "new"))
            assert code is UNAVAILABLE, said
            check_sentence(said)
            assert server.rest("POST", "/v1/join-tokens", json={}).status_code == 503
            [(spiffe_id, _)] = fetch(agent.workload_socket)
            assert spiffe_id == "spiffe://example.org/w"
            disk.free()
            made = eventually(lambda: created(server, agent_id), 20, "entries are created again")
            eventually(lambda: status_of(lambda: fetch_jwt(agent.workload_socket, "new")) is OK)
            assert (server.pid, agent.pid) == pids
            assert server.runs
            assert agent.runs
            expected = before | acknowledged | {made}
            server.stop()
            server.begin()
            assert entries(server) >= expected
            assert "Traceback" not in server.said
        [database] = (place / "ca").rglob("*.sqlite3")
        with closing_file(sqlite3.connect(database)) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def created(server: ServerProgram, agent_id: str) -> str:
    answer = create(server, agent_id, 1000)
    made: str = answer.json()["id"] if answer.status_code == 201 else ""
    return made


def check_words(problem: dict[str, Any]) -> None:
    assert problem["title"]
    check_sentence(problem["detail"] + problem.get("remedy", ""))


def check_sentence(said: str) -> None:
    """A person reads what is wrong: a disk, or the audit log on it."""
    assert "disk" in said or "audit" in said, said
    assert "Errno" not in said
    assert "sqlite" not in said.lower()


def test_the_disk_of_the_audit_log_is_full(require: Requirements, place: Path) -> None:
    """Where an act cannot be audited it is not done, by the server as by the agent."""
    with disk_of(require, place, "logs") as disk:
        logs = disk.folder
        server = ServerProgram(place / "ca", {"audit_log": str(logs / "ca.log")})
        own = {"audit_log": str(logs / "agent.log")}
        agent = AgentProgram(place / "agent", own, join=place / "join")
        with joined(place, server, agent) as agent_id:
            before = entries(server)
            disk.fill()
            acknowledged, problem = until_refused(server, agent_id)
            check_words(problem)
            # What was refused has not happened behind the log's back.
            assert entries(server) == before | acknowledged
            # The log's last page takes a few lines more; one process is one line a second.
            socket = str(agent.workload_socket)
            eventually(lambda: ask_as(0, socket) is Kind.UNAVAILABLE, 20, "the agent refuses")
            disk.free()
            eventually(lambda: created(server, agent_id), 20, "entries are created again")
            eventually(lambda: status_of(lambda: fetch(agent.workload_socket)) is OK)
            written = (logs / "ca.log").read_text().splitlines()
            assert all(line.startswith("{") and line.endswith("}") for line in written)
            assert server.runs
            assert agent.runs


def test_the_agents_disk_is_full(require: Requirements, place: Path) -> None:
    """The agent goes on serving what it holds, and catches up when there is space again."""
    with disk_of(require, place, "agent") as disk:
        short = {"agent_ttl": 8, "default_x509_svid_ttl": 6, "ca_ttl": 40}
        server = ServerProgram(place / "ca", short)
        # The audit log is on a disk with room, else nothing at all would be served.
        own = {"audit_log": str(place / "agent-audit.log")}
        agent = AgentProgram(place / "agent", own, join=place / "join")
        with joined(place, server, agent) as agent_id:
            pid = agent.pid
            disk.fill()
            [(_, first)] = fetch(agent.workload_socket)
            server.entry(agent_id, "/later")
            eventually(lambda: len(fetch(agent.workload_socket)) == 2, 10, agent.said)
            assert fetch(agent.workload_socket)
            eventually(lambda: "No space left on device" in agent.said, 10, agent.said)
            disk.free()
            eventually(lambda: renewed(agent, first), 20, agent.said)
            assert agent.runs, agent.said
            assert agent.pid == pid
            agent.stop()
            assert agent.begin().agent_id == agent_id


def renewed(agent: AgentProgram, first: Any) -> bool:
    serials = {leaf.serial_number for _, leaf in fetch(agent.workload_socket)}
    return first.serial_number not in serials and len(serials) == 2
