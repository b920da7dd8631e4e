"""`finial up`, run as a person runs it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.doubles.programs import Up, eventually, finial, short_folder, up

MEMBERS = {
    "server_pid",
    "agent_pid",
    "agent_id",
    "grpc_address",
    "rest_address",
    "workload_socket",
    "agent_socket",
    "admin_socket",
    "server_socket",
    "bundle_path",
}


def mine(running: Up) -> str | None:
    """Return our own SPIFFE ID, if we have one."""
    uri = f"unix://{running['workload_socket']}"
    done = finial("fetch", "x509", "--socket", uri, "--output", "json")
    return json.loads(done.stdout)["svids"][0]["spiffe_id"] if done.returncode == 0 else None


def healthy(running: Up) -> bool:
    return finial("healthcheck", "--dir", str(running.folder)).returncode == 0


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "Z"


def test_it_makes_what_it_says() -> None:
    """One line of JSON names the two processes and the sockets, which have their modes."""
    with up() as running:
        assert set(running.made) == MEMBERS
        modes = {
            name: stat.S_IMODE(Path(running[name]).stat().st_mode)
            for name in ("workload_socket", "agent_socket", "bundle_path")
        }
        assert modes == {"workload_socket": 0o777, "agent_socket": 0o666, "bundle_path": 0o644}
        workload = Path(running["workload_socket"])
        assert [each.name for each in workload.parent.iterdir()] == ["workload.sock"]
        private = running.folder / "private"
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert Path(running["admin_socket"]).parent == private
        assert Path(running["server_socket"]).parent == private
        assert healthy(running)
        for pid in (running["server_pid"], running["agent_pid"]):
            assert not has_ended(pid)


def test_a_second_start_continues() -> None:
    """Authorities, entries and the agent are the same after a restart."""
    with short_folder() as parent:
        folder = parent / "d"
        with up(folder=folder) as first:
            first.register("/me", f"unix:uid:{os.getuid()}")
            eventually(lambda: mine(first), what="an identity")
            authorities = first.finial("authority", "list")["items"]
            agent = first["agent_id"]
        with up(folder=folder) as second:
            assert second["agent_id"] == agent
            assert second.finial("authority", "list")["items"] == authorities
            assert second.finial("entry", "count") == {"count": 1}
            assert eventually(lambda: mine(second)) == "spiffe://example.org/me"
            assert len(second.finial("agent", "list")["items"]) == 1


def test_it_continues_after_everything_has_expired() -> None:
    """Whatever time has passed, the agent joins again as the same one."""
    flags = ("--ca-ttl=4s", "--svid-ttl=2s")
    with short_folder() as parent:
        folder = parent / "d"
        with up(*flags, folder=folder) as first:
            first.register("/me", f"unix:uid:{os.getuid()}")
        time.sleep(5)
        with up(*flags, folder=folder) as second:
            assert second["agent_id"] == first["agent_id"]
            assert eventually(lambda: mine(second)) == "spiffe://example.org/me"


@pytest.mark.parametrize("program", ["server", "agent"])
def test_a_program_that_dies_is_started_again(program: str) -> None:
    """When one of the two is killed, `up` restarts it and all works as before."""
    with up() as running:
        running.register("/me", f"unix:uid:{os.getuid()}")
        eventually(lambda: mine(running))
        os.kill(running[f"{program}_pid"], signal.SIGKILL)
        eventually(lambda: has_ended(running[f"{program}_pid"]))
        eventually(lambda: healthy(running), what="both are back")
        assert eventually(lambda: mine(running)) == "spiffe://example.org/me"
        running.register("/other", "unix:uid:4242")
        assert running.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_leaves_no_process_behind(number: signal.Signals) -> None:
    """Both programs end with `up`, also when it is killed."""
    with up() as running:
        begun = time.monotonic()
        running.process.send_signal(number)
        status = running.process.wait(20)
        assert status == (0 if number is not signal.SIGKILL else -signal.SIGKILL)
        for pid in (running["server_pid"], running["agent_pid"]):
            eventually(lambda pid=pid: has_ended(pid), seconds=15)  # type: ignore[misc]
        assert time.monotonic() - begun < 15
        if number is not signal.SIGKILL:
            assert not Path(running["admin_socket"]).exists()
            assert running.process.stdout is not None
            assert running.process.stdout.read() == ""


def test_an_unsafe_folder_is_refused() -> None:
    """A symbolic link, a folder others can write to and too long a path are refused, with why."""
    with short_folder() as parent:
        (parent / "real").mkdir()
        (parent / "link").symlink_to(parent / "real")
        (parent / "open").mkdir()
        (parent / "open").chmod(0o777)
        reasons = {
            "link": "symbolic link",
            "open": "written by others",
            "a" * 100: "longer than 107 bytes",
        }
        for name, reason in reasons.items():
            done = finial("up", "--dir", str(parent / name), "--port", "0")
            assert done.returncode == 1
            assert reason in done.stderr


@pytest.mark.root
def test_somebody_elses_folder_is_refused() -> None:
    """A folder that belongs to another user is refused."""
    with short_folder() as parent:
        (parent / "theirs").mkdir()
        os.chown(parent / "theirs", 61005, 61005)
        done = finial("up", "--dir", str(parent / "theirs"), "--port", "0")
        assert done.returncode == 1
        assert "belongs to uid 61005" in done.stderr


def test_a_second_up_in_the_same_folder_is_refused() -> None:
    """Only one `finial up` runs in a folder at a time."""
    with up() as running:
        done = finial("up", "--dir", str(running.folder), "--port", "0")
        assert done.returncode == 1
        assert "another finial up" in done.stderr
        assert healthy(running)


def test_a_taken_port_is_told() -> None:
    """When the port is taken, `up` ends, says so, and leaves nothing running."""
    with short_folder() as parent, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finial("up", "--dir", str(parent / "d"), "--port", str(port))
        assert done.returncode != 0
        assert "in use" in done.stderr
        assert "try: another --port" in done.stderr


def test_people_are_told_what_to_try_next() -> None:
    """The text for people ends with three commands, and each of them works."""
    with short_folder() as parent:
        command = [sys.executable, "-m", "cli", "up", "--dir", str(parent / "d"), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                lines: list[str] = []
                while sum(line.startswith("  finial ") for line in lines) < 3:
                    lines.append(process.stdout.readline())
                    assert lines[-1], lines
                tried = [line.split()[1:] for line in lines if line.startswith("  finial ")]
                assert finial(*tried[0]).returncode == 0
                eventually(lambda: finial(*tried[1]).returncode == 0)
                assert finial(*tried[2]).returncode == 0
            finally:
                process.terminate()
