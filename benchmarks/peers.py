"""Start and stop what is measured: finial, and SPIRE where its programs are given."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TRUST_DOMAIN = "example.org"


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
    agent_path: str

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
            agent_path=made["agent_id"].removeprefix(f"spiffe://{TRUST_DOMAIN}"),
        )
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


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
    server_process = subprocess.Popen([server, "run", "-config", str(folder / "server.conf")])
    agent_process = None
    try:
        socket = ["-socketPath", str(folder / "server.sock")]
        _until([server, "healthcheck", *socket])
        token = json.loads(_output([server, "token", "generate", *socket, "-output", "json"]))[
            "value"
        ]
        (folder / "agent.conf").write_text(AGENT_CONF.format(folder=folder, port=port, token=token))
        agent_process = subprocess.Popen([agent, "run", "-config", str(folder / "agent.conf")])
        _until([agent, "healthcheck", "-socketPath", str(folder / "agent.sock")])
        yield Peer(
            name="SPIRE",
            folder=folder,
            server_pid=server_process.pid,
            agent_pid=agent_process.pid,
            server_socket=str(folder / "server.sock"),
            server_address=f"127.0.0.1:{port}",
            workload_socket=str(folder / "agent.sock"),
            agent_path=f"/spire/agent/join_token/{token}",
        )
    finally:
        if agent_process:
            _stop(agent_process)
        _stop(server_process)
        shutil.rmtree(folder, ignore_errors=True)


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


def build_driver() -> str:
    """Compile the driver, and say where it is."""
    target = Path(tempfile.gettempdir()) / "finial-bench-driver"
    subprocess.run(
        ["go", "build", "-o", str(target), "."],
        cwd=Path(__file__).parent / "driver",
        env={**os.environ, "GOFLAGS": "-mod=mod"},
        check=True,
    )
    return str(target)
