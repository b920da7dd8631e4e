"""A second node joins by one command, from a network namespace of its own."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import eventually, finial, running, short_folder

PROGRAM = [sys.executable, "-m", "cli"]


@dataclass
class Network:
    """A namespace, and the address under which it reaches us."""

    namespace: str
    address: str

    @property
    def inside(self) -> list[str]:
        """What runs a command in the namespace."""
        return ["ip", "netns", "exec", self.namespace]


@pytest.fixture
def network(require: Requirements) -> Iterator[Network]:
    """Make a namespace with a link to this one."""
    require.root()
    require.command("ip", "apt-get install iproute2")
    number = os.getpid() % 16384
    name, subnet = f"finial{number}", f"10.213.{number // 256}.{number % 256 // 4 * 4}"
    prefix, _, last = subnet.rpartition(".")
    here, there = f"{prefix}.{int(last) + 1}", f"{prefix}.{int(last) + 2}"
    outer, inner = f"fo{number}", f"fi{number}"
    try:
        for command in (
            f"ip netns add {name}",
            f"ip link add {outer} type veth peer name {inner} netns {name}",
            f"ip addr add {here}/30 dev {outer}",
            f"ip link set {outer} up",
            f"ip -n {name} addr add {there}/30 dev {inner}",
            f"ip -n {name} link set {inner} up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        yield Network(name, here)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", outer], check=False, capture_output=True)


@dataclass
class Server:
    """A running CA server."""

    folder: Path
    address: str

    def finial(self, *arguments: str) -> Any:
        """Administer it."""
        server = f"unix://{self.folder}/private/admin.sock"
        done = finial(*arguments, "--server", server, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def audit(self) -> str:
        """Everything that it wrote down."""
        return (self.folder / "private" / "audit.log").read_text()


@contextlib.contextmanager
def serving(folder: Path, address: str, port: int) -> Iterator[Server]:
    """Run a CA server of example.org."""
    config = folder.with_suffix(".toml")
    config.write_text(
        f'[server]\ntrust_domain = "example.org"\ndata_dir = "{folder}"\n'
        f'bind_address = "{address}"\nbind_port = {port}\n'
        f"[server.ratelimit]\nattestation = 0\nbootstrap = 0\n"
    )
    with running([*PROGRAM, "ca", "run", "--config", str(config)]):
        server = f"unix://{folder}/private/admin.sock"
        eventually(lambda: finial("healthcheck", "--server", server).returncode == 0)
        yield Server(folder, f"{address}:{port}")


@contextlib.contextmanager
def joining(network: Network, folder: Path, join: str) -> Iterator[subprocess.Popen[str]]:
    """Run an agent in the namespace with this join string."""
    config = folder.with_suffix(".toml")
    config.write_text(f'[agent]\ndata_dir = "{folder}"\n[plugins.workload_attestor.unix]\n')
    command = [*network.inside, *PROGRAM, "agent", "run", "--config", str(config)]
    with running([*command, "--join-file", "-"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(join)
        process.stdin.close()
        yield process


@pytest.mark.root
def test_a_second_node_joins_and_serves(network: Network) -> None:
    """A join string is all that the new node needs; its workloads get their identity there."""
    with short_folder() as parent, serving(parent / "ca", network.address, 18081) as server:
        made = server.finial("token", "create")
        with joining(network, parent / "agent", made["join"]):
            agent = f"unix://{parent}/agent/agent.sock"
            eventually(lambda: finial("healthcheck", "--agent", agent).returncode == 0)
            server.finial(
                "entry", "create", "spiffe://example.org/there", "--selector", "unix:uid:0",
                "--parent", made["agent_id"],
            )  # fmt: skip
            workload = f"unix://{parent}/agent/workload/workload.sock"
            eventually(lambda: finial("fetch", "x509", "--socket", workload).returncode == 0)
        assert made["value"] not in server.audit


@pytest.mark.root
def test_an_impostor_is_not_joined(network: Network) -> None:
    """Whoever answers at the address and did not make the token gets neither token nor agent."""
    with (
        short_folder() as parent,
        serving(parent / "ca", network.address, 18081) as server,
        serving(parent / "impostor", network.address, 18082) as impostor,
    ):
        made = server.finial("token", "create", "--address", impostor.address)
        with joining(network, parent / "victim", made["join"]) as process:
            assert process.wait(30) != 0
        assert impostor.finial("agent", "list")["items"] == []
        assert "attested" not in impostor.audit
        [known] = server.finial("token", "list")["items"]
        assert known["spent"] is False
