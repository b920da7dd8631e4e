"""`finial doctor` before real programs: well, away, cut off, misconfigured, full, asked by others."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Requirements
from tests.doubles.engines import docker_engine
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import ROOT, eventually, finial, running, short_folder, up

Checks = dict[tuple[str, str], dict[str, Any]]


def doctor(*arguments: str) -> tuple[int, Checks]:
    """Run it; return its exit status and every check by side and name."""
    done = finial("doctor", *arguments, "--output", "json")
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    assert (done.returncode == 1) is (document["health"] == "failed")
    return done.returncode, {(each["side"], each["check"]): each for each in document["checks"]}


@contextmanager
def pair(**agent: Any) -> Iterator[tuple[ServerProgram, AgentProgram, list[str]]]:
    """A server and an agent with folders of their own, and the doctor's arguments for both."""
    with short_folder() as folder:
        server = ServerProgram(folder / "ca", {"bind_port": _free_port()})
        with closing(server):
            server.begin()
            join = folder / "join"
            made = finial(
                "token", "create", "--server", f"unix://{server.admin_socket}", "--output", "json"
            )
            join.write_text(json.loads(made.stdout)["join"])
            node = AgentProgram(folder / "node", agent, join=join)
            with closing(node):
                node.begin()
                named = ["--agent-config", str(node.config), "--ca-config", str(server.config)]
                yield server, node, named


def _free_port() -> int:
    # Whoever starts again has to be found again.
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_what_is_well_is_ok_and_asks_for_nothing() -> None:
    """Every check of both sides is ok, the exit status is 0, and the clocks were compared."""
    with up() as both:
        both.register("/web", f"unix:uid:{os.getuid()}")

        def compared() -> Checks | None:
            status, found = doctor("--dir", str(both.folder))
            assert status == 0, found
            return found if "differ by" in found["agent", "clock"]["detail"] else None

        found = eventually(compared, 20, "a heartbeat came")
        ill = [each for each in found.values() if each["health"] != "ok"]
        assert [each for each in ill if each["check"] not in ("disk", "open files", "proc")] == []
        assert "1 SVID at hand" in found["agent", "identities"]["detail"]
        described = (ROOT / "docs" / "doctor.md").read_text()
        names = {check for _, check in found if not check.startswith("attestor ")}
        assert [name for name in names if f"`{name}`" not in described] == []
        text = finial("doctor", "--dir", str(both.folder)).stdout
        assert "server\n" in text
        assert "agent\n" in text
        assert text.splitlines()[-1].startswith(f"{len(found)} checks: ")


def test_one_side_that_is_away_is_said_to_be_away() -> None:
    """The other side goes on; what the one that is away would have found is looked at from outside."""
    with pair() as (server, node, named):
        assert doctor(*named)[0] == 0
        server.kill()
        eventually(lambda: "is away" in _server_check(named), 20, "the agent noticed")
        status, found = doctor(*named)
        assert status == 1
        assert found["server", "server"]["health"] == "failed"
        assert "finial ca run --config" in found["server", "server"]["remedy"]
        assert found["server", "disk"]["detail"]
        assert found["agent", "agent"]["health"] == "ok"
        assert "what is held is served" in found["agent", "server"]["detail"]
        server.begin()
        node.kill()
        status, found = doctor(*named)
        assert status == 1
        assert "does not answer" in found["agent", "agent"]["detail"]
        assert found["agent", "kernel"]["detail"].startswith("Linux ")
        assert found["server", "database"]["health"] == "ok"
        assert found["server", "agents"]["health"] == "warning"


def _server_check(named: list[str]) -> str:
    detail: str = doctor(*named)[1]["agent", "server"]["detail"]
    return detail


def test_what_somebody_spoilt_is_found() -> None:
    """A misspelt key, a socket that workloads cannot use, an open folder, a lost audit log."""
    with pair() as (server, node, named):
        node.config.write_text(node.config.read_text().replace("log_level", "log_levle"))
        server.config.chmod(0o666)
        node.workload_socket.chmod(0o700)
        (server.folder / "private" / "audit.log").rename(server.folder / "private" / "old.log")
        status, found = doctor(*named, "--agent", f"unix://{node.operator_socket}")
        assert status == 1
        assert "did you mean log_level?" in found["agent", "configuration"]["detail"]
        assert "can be written by others" in found["server", "configuration"]["detail"]
        assert "moved or removed" in found["server", "audit log"]["detail"]
        node.config.write_text(node.config.read_text().replace("log_levle", "log_level"))
        found = doctor(*named)[1]
        assert "cannot be used by every user" in found["agent", "workload socket"]["detail"]
        node.workload_socket.chmod(0o777)
        node.workload_socket.parent.chmod(0o777)
        found = doctor(*named)[1]
        assert "could put a socket of theirs" in found["agent", "workload socket"]["detail"]


# An agent whose node's clock is late, as far as it asks its clock.
LATE = """
import asyncio, sys
from pathlib import Path
from agent.assemble import run
from agent.settings import load
from finial.runtime.clock import SystemClock

class Late(SystemClock):
    def now(self):
        return super().now() - 30

asyncio.run(run(load(Path(sys.argv[1])), lambda _: None, clock=Late()))
"""


def test_a_clock_that_is_late_is_found_by_the_heartbeats() -> None:
    """The server tells its time by itself; 30 s are more than what is issued is backdated by."""
    with pair() as (server, node, named):
        node.stop()
        with running([sys.executable, "-c", LATE, str(node.config)], cwd=ROOT):

            def compared() -> Checks | None:
                found = doctor(*named)[1]
                told = found["agent", "agent"]["health"] == "ok"
                return found if told and "behind" in found["agent", "clock"]["detail"] else None

            found = eventually(compared, 30, "a heartbeat came")
            assert "clock is 30 s behind the server's" in found["agent", "clock"]["detail"]
            assert found["agent", "clock"]["health"] == "failed"
            assert server.runs


@pytest.mark.root
def test_only_operators_are_told(require: Requirements) -> None:
    """Another user learns that both sides are there, and nothing else."""
    setpriv = require.command("setpriv", "apt-get install util-linux")
    with up() as both:
        command = [setpriv, "--reuid=61003", "--regid=61003", "--clear-groups", sys.executable]
        command += ["-m", "cli", "doctor", "--agent", f"unix://{both['agent_socket']}"]
        done = subprocess.run(
            [*command, "--output", "json"], capture_output=True, text=True, cwd=ROOT, check=False
        )
        found = {each["check"]: each for each in json.loads(done.stdout)["checks"]}
        assert done.returncode == 1
        assert "uid 61003 is neither root nor the agent's user" in found["agent"]["detail"]
        assert "trust bundle" not in found


@pytest.mark.root
def test_a_full_disk_is_found(require: Requirements) -> None:
    """The disk of the agent's folder has too little room, and its audit log with it."""
    mount = require.command("mount", "apt-get install mount")
    with short_folder() as folder:
        small = folder / "small"
        small.mkdir()
        subprocess.run([mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", small], check=True)
        try:
            with pair(audit_log=str(small / "audit.log")) as (_, _node, named):
                assert doctor(*named)[1]["agent", "audit log"]["health"] == "ok"
                _fill(small / "filler")
                status, found = doctor(*named)
                assert status == 1
                assert found["agent", "audit log"]["health"] == "failed"
                assert "less than 1 MiB" in found["agent", "audit log"]["detail"]
        finally:
            subprocess.run(["umount", small], check=True)


def _fill(path: Path) -> None:
    try:
        with path.open("wb") as file:
            while True:
                file.write(bytes(1024 * 1024))
    except OSError:
        return


def test_a_server_elsewhere_is_asked_over_https() -> None:
    """With a token of both scopes the whole server side is there, without the sockets' checks."""
    with up() as both:
        scopes = ("--scope", "agents:read", "--scope", "entries:read")
        token = both.folder.parent / "token"
        token.write_text(both.finial("api-token", "create", "ops", *scopes)["token"])
        where = ["--server", both["rest_address"], "--token-file", str(token)]
        status, found = doctor(*where, "--bundle", both["bundle_path"])
        assert status == 0
        assert {side for side, _ in found} == {"server"}
        assert found["server", "database"]["health"] == "ok"
        assert ("server", "admin socket") not in found


@pytest.mark.root
@pytest.mark.slow
def test_an_engine_that_was_killed_is_found(require: Requirements) -> None:
    """The attestor is asked whether its engine answers; a killed one fails until it is back."""
    with docker_engine(require) as engine:
        attestors = engine.folder / "attestors.toml"
        socket_path = f'docker_socket_path = "unix://{engine.socket}"\npodman_socket_path = ""\n'
        attestors.write_text(f"[unix]\n[docker]\n{socket_path}")
        with up(f"--attestors={attestors}") as both:
            where = ["--dir", str(both.folder)]
            status, found = doctor(*where)
            assert status == 0
            assert "answers: version" in _of_docker(found)["detail"]
            engine.kill()
            status, found = doctor(*where)
            assert status == 1
            assert _of_docker(found)["health"] == "failed"
            assert "start the engine" in _of_docker(found)["remedy"]
            assert found["agent", "attestor unix"]["health"] == "ok"
            engine.serve()
            assert doctor(*where)[0] == 0


def _of_docker(found: Checks) -> dict[str, Any]:
    [one] = [each for (_, name), each in found.items() if name.startswith("attestor docker")]
    return one
