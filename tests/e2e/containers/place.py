"""A server and an agent beside an engine, and workloads in its containers."""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attestors.contract import Finding, Process
from attestors.workload import docker
from cli.up.configuration import render
from finial.runtime.clock import SystemClock
from tests.doubles.engines import Container, Engine
from tests.doubles.programs import Up, up

CGROUPS = Path("/sys/fs/cgroup")
IDENTITY = re.compile(r"spiffe://example\.org(/\S+)")


class Place:
    """What runs for one test."""

    def __init__(self, engine: Engine, running: Up) -> None:
        self.engine = engine
        self.up = running
        self._entries: list[str] = []

    @property
    def mount(self) -> str:
        """The flag that gives a container the Workload API."""
        return f"--volume={self.up.folder}/workload:/run/finial:ro"

    def start(self, *command: str, **options: Any) -> Container:
        flags = [self.mount, "--env=SPIFFE_ENDPOINT_SOCKET=unix:///run/finial/workload.sock"]
        options["flags"] = [*flags, *options.get("flags", ())]
        return self.engine.start(*command, **options)

    def register(self, path: str, *selectors: str) -> None:
        """Create an entry."""
        self._entries.append(self.up.register(path, *selectors)["id"])

    def clear(self) -> None:
        """Remove the containers and entries that were made."""
        for container in self.engine.made:
            container.stop()
        self.engine.made.clear()
        if self._entries:
            self.up.finial("entry", "delete", *self._entries)
        self._entries.clear()

    def explain(self, pid: int) -> Any:
        """The agent's explanation of a process."""
        return self.up.finial("explain", "--pid", str(pid))


def hierarchies() -> list[Path]:
    """Where cgroups are made here: of v2, or of each hierarchy of v1 and v2."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    found = {each.resolve() for each in CGROUPS.iterdir() if (each / "cgroup.procs").exists()}
    return sorted(found)


def unified() -> Path:
    """Where cgroups of v2 are made here."""
    return CGROUPS if (CGROUPS / "cgroup.procs").exists() else CGROUPS / "unified"


def identities(container: Container, *flags: str) -> list[str]:
    """The paths of the identities that a process started in a container gets."""
    return paths(container.finial("fetch", "x509", "--output", "json", *flags))


def paths(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stderr
    return sorted(set(IDENTITY.findall(json.dumps(json.loads(done.stdout)).replace('"', " "))))


def refusal(container: Container, *flags: str) -> str:
    """What a process is told that gets none."""
    done = container.finial("fetch", "x509", *flags)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


@contextlib.contextmanager
def place_with(
    engine: Engine, folder: Path, table: Mapping[str, Any] | None = None
) -> Iterator[Place]:
    """Run the programs with an agent that asks an engine; `table` is the attestor's own."""
    sockets = {"docker_socket_path": f"unix://{engine.socket}", "podman_socket_path": ""}
    path = folder / "attestors.toml"
    path.write_text(render({"unix": {}, "docker": {**sockets, **(table or {})}}))
    with up("--attestors", str(path), folder=folder / "d") as running:
        yield Place(engine, running)


async def attested(pid: int, **settings: Any) -> Finding:
    """What an attestor with these settings, and no engine but those named, finds of a process."""
    given = {"docker_socket_path": "", "podman_socket_path": "", **settings}
    return await attest_with(docker.create(docker.Settings(**given)), pid)


async def attest_with(attestor: docker.DockerAttestor, pid: int, seconds: float = 10.0) -> Finding:
    found = os.stat(f"/proc/{pid}")
    process = Process(pid, found.st_uid, found.st_gid, f"/proc/{pid}")
    return await attestor.attest(process, SystemClock().monotonic() + seconds)
