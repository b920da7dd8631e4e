"""Containers without a cgroup of their own, which their mounts name."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestors.contract import Attested, Failed, Finding, Process
from attestors.workload import docker
from finial.runtime.clock import SystemClock
from tests.doubles.engine_api import EngineApi

pytestmark = pytest.mark.root

ID = "ab" * 32


def attested(pid: int, **sockets: str) -> Finding:
    async def whole() -> Finding:
        attestor = docker.create(docker.Settings(**sockets, timeout=0.5))
        process = Process(pid, 0, 0, f"/proc/{pid}")
        return await attestor.attest(process, SystemClock().monotonic() + 5)

    return asyncio.run(whole())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two processes in mount namespaces of their own whose mounts name the same container."""
    source = tmp_path / "containers" / ID / "hostname"
    source.parent.mkdir(parents=True)
    source.write_text("")
    script = f"mount --bind {source} /etc/hostname && echo here && read end"
    started = [
        subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == b"here\n"
    yield started[0].pid, started[1].pid
    for each in started:
        each.kill()
        each.communicate()


def test_a_container_is_told_by_its_namespaces(api: EngineApi, mounted: tuple[int, int]) -> None:
    """What is mounted says whom to ask about; who shares the first process's namespaces is in."""
    first, other = mounted
    api.image()
    api.container(ID, first, labels={"app": "web"})
    sockets = {"docker_socket_path": str(api.path), "podman_socket_path": ""}
    found = attested(first, **sockets)
    assert isinstance(found, Attested)
    assert "label:app:web" in {each.value for each in found.selectors}
    elsewhere = attested(other, **sockets)
    assert isinstance(elsewhere, Failed)
    assert "does not share the namespaces" in elsewhere.detail


def test_the_other_one_of_roots_engines_is_asked_too(
    api: EngineApi, mounted: tuple[int, int]
) -> None:
    """Mounts do not say which engine it was: one that is away hides nothing of the other."""
    pid, _ = mounted
    api.image()
    api.container(ID, pid, labels={"app": "web"})
    nowhere = f"{os.path.dirname(api.path)}/not.sock"
    found = attested(pid, docker_socket_path=nowhere, podman_socket_path=str(api.path))
    assert isinstance(found, Attested)
    api.answers.clear()
    unknown = attested(pid, docker_socket_path=nowhere, podman_socket_path=str(api.path))
    assert isinstance(unknown, Failed)
    assert "not.sock" in unknown.detail
