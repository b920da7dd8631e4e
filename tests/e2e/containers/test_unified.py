"""Docker on cgroup v2 alone, as most machines have it, also where this one has v1 beside it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestors.contract import Attested
from finial.spiffe.selector import Selector
from tests.conftest import Requirements
from tests.doubles.engines import DockerEngine, docker_engine
from tests.doubles.programs import eventually
from tests.e2e.containers.place import attested

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerEngine]:
    with docker_engine(Requirements(), unified=True) as engine:
        yield engine


def values(pid: int, docker: DockerEngine) -> set[str]:
    found = asyncio.run(attested(pid, docker_socket_path=str(docker.socket)))
    assert isinstance(found, Attested), found
    assert all(each.type == "docker" for each in found.selectors)
    return {each.value for each in found.selectors}


@pytest.mark.parametrize("flags", [["--cgroupns=private"], ["--cgroupns=host"]])
def test_a_container_is_known_by_the_one_hierarchy(docker: DockerEngine, flags: list[str]) -> None:
    """Its name stands in the line of v2; those of v1, where there are any, say nothing."""
    container = docker.start(labels={"app": "web"}, flags=flags)
    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    assert [line for line in lines if container.id in line] == [f"0::/docker/{container.id}"]
    assert "label:app:web" in values(container.pid, docker)


def test_a_container_that_may_make_cgroups_stays_itself(docker: DockerEngine) -> None:
    """Named after another, below its own: the one around it is borne out, with a remark."""
    victim = docker.start(labels={"app": "victim"})
    script = (
        "mkdir -p /tmp/c && mount -t cgroup2 none /tmp/c && "
        f"mkdir -p /tmp/c/docker/{victim.id} && echo $$ >/tmp/c/docker/{victim.id}/cgroup.procs && "
        "echo moved && exec sleep 600"
    )
    attacker = docker.start(
        "/bin/sh", "-c", f"sleep 600 & {script}",
        labels={"app": "attacker"},
        flags=["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined", "--cgroupns=private"],
    )  # fmt: skip
    _moved(attacker.pid, victim.id)
    found = asyncio.run(attested(attacker.pid, docker_socket_path=str(docker.socket)))
    assert isinstance(found, Attested)
    assert Selector("docker", "label:app:attacker") in found.selectors
    assert Selector("docker", "label:app:victim") not in found.selectors
    assert victim.id[:12] in found.remarks[0]


def _moved(pid: int, name: str) -> None:
    eventually(lambda: name in Path(f"/proc/{pid}/cgroup").read_text())
