"""Start and stop what is measured: finial, and SPIRE where its programs are given."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.health import until_healthy

TRUST_DOMAIN = "example.org"


@dataclass(frozen=True, slots=True)
class Restarted:
    """A server's new process, and the seconds from its order to start until it was healthy."""

    pid: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server and agent, and where they listen."""

    name: str
    folder: Path
    server_pid: int
    agent_pid: int
    server_socket: str
    server_address: str
    workload_socket: str
    agent_socket: str
    agent_path: str
    restart: Callable[[], Restarted]
    """Ends the server and starts it again."""

    def flags(self) -> list[str]:
        """The driver's flags that name this peer."""
        return [
            f"-server-socket={self.server_socket}",
            f"-server-address={self.server_address}",
            f"-workload-socket={self.workload_socket}",
            f"-trust-domain={TRUST_DOMAIN}",
            f"-parent={self.agent_path}",
        ]


@contextmanager
def finial() -> Iterator[Peer]:
    """Run `finial up` in a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="finial-bench-"))
    command = [sys.executable, "-m", "cli", "up", "--dir", str(folder / "d"), "--port", "0"]
    command += ["--no-rate-limits", "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        made = json.loads(line)
        yield Peer(
            name="finial",
            folder=folder,
            server_pid=made["server_pid"],
            agent_pid=made["agent_pid"],
            server_socket=made["server_socket"],
            server_address=made["grpc_address"],
            workload_socket=made["workload_socket"],
            agent_socket=made["agent_socket"],
            agent_path=made["agent_id"].removeprefix(f"spiffe://{TRUST_DOMAIN}"),
            restart=lambda: _restart_below(process.pid, made["server_pid"], made["server_socket"]),
        )
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _restart_below(supervisor: int, server: int, socket: str) -> Restarted:
    """`finial up` starts a server that has ended again by itself, 0.2 s later."""
    former = psutil.Process(server)
    former.send_signal(signal.SIGTERM)
    former.wait(60)
    started = time.monotonic() + 0.2
    until_healthy(socket)
    seconds = time.monotonic() - started
    children = psutil.Process(supervisor).children()
    return Restarted(next(c.pid for c in children if "server" in c.cmdline()), seconds)


SERVER_CONF = """
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{folder}/server.sock"
  trust_domain = "example.org"
  data_dir = "{folder}"
  log_level = "ERROR"
  ratelimit {{ attestation = false signing = false }}
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/db" }} }}
  KeyManager "disk" {{ plugin_data {{ keys_path = "{folder}/keys.json" }} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"""
AGENT_CONF = """
agent {{
  data_dir = "{folder}/agent"
  log_level = "ERROR"
  server_address = "127.0.0.1"
  server_port = "{port}"
  socket_path = "{folder}/agent.sock"
  trust_domain = "example.org"
  insecure_bootstrap = true
  join_token = "{token}"
}}
plugins {{
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
"""


@contextmanager
def spire(server: str, agent: str, port: int = 18081) -> Iterator[Peer]:
    """Run spire-server and spire-agent in a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="spire-bench-"))
    (folder / "server.conf").write_text(SERVER_CONF.format(folder=folder, port=port))
    serve = [server, "run", "-config", str(folder / "server.conf")]
    socket = str(folder / "server.sock")
    running = {"server": _quiet(serve)}

    def restart() -> Restarted:
        _stop(running["server"])
        started = time.monotonic()
        running["server"] = _quiet(serve)
        until_healthy(socket)
        return Restarted(running["server"].pid, time.monotonic() - started)

    try:
        until_healthy(socket)
        command = [server, "token", "generate", "-socketPath", socket, "-output", "json"]
        token = json.loads(_output(command))["value"]
        (folder / "agent.conf").write_text(AGENT_CONF.format(folder=folder, port=port, token=token))
        running["agent"] = _quiet([agent, "run", "-config", str(folder / "agent.conf")])
        _until([agent, "healthcheck", "-socketPath", str(folder / "agent.sock")])
        yield Peer(
            name="SPIRE",
            folder=folder,
            server_pid=running["server"].pid,
            agent_pid=running["agent"].pid,
            server_socket=socket,
            server_address=f"127.0.0.1:{port}",
            workload_socket=str(folder / "agent.sock"),
            agent_socket="",
            agent_path=f"/spire/agent/join_token/{token}",
            restart=restart,
        )
    finally:
        for process in reversed(running.values()):
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _quiet(command: list[str]) -> subprocess.Popen[bytes]:
    # They log every refusal, the expected ones too.
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _until(command: list[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise TimeoutError(" ".join(command))
        time.sleep(0.2)


def _stop(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def built_driver() -> Iterator[str]:
    """Compile the driver to where programs are installed, if that is allowed, or else beside.

    The agents look at the program that calls. One outside the places that only root can write to
    is looked at by finial in a thread, which costs more than all the rest of a call.
    """
    place = "/usr/local/lib" if os.access("/usr/local/lib", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="finial-bench-", dir=place) as folder:
        Path(folder).chmod(0o755)
        subprocess.run(
            ["go", "build", "-o", f"{folder}/driver", "."],
            cwd=Path(__file__).parent / "driver",
            env={**os.environ, "GOFLAGS": "-mod=mod"},
            check=True,
        )
        yield f"{folder}/driver"
