"""A cluster with the examples in it, made once for all tests here."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import eventually
from tests.interop.kubernetes.cluster import cluster
from tests.interop.kubernetes.images import make_images
from tests.interop.kubernetes.world import World

COMMANDS = {
    "etcd": "etcd-server",
    "dockerd": "docker.io",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "gcc": "gcc",
    "curl": "curl",
    "unshare": "util-linux",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A cluster that runs the manifests of examples/kubernetes, and a shop."""
    build = os.environ.get("K8S_BUILD", "")
    if not build:
        pytest.skip("K8S_BUILD is not set; run: make test-k8s")
    require = Requirements()
    require.root()
    for command, package in COMMANDS.items():
        require.command(command, f"apt-get install {package}")
    with cluster(Path(build)) as made:
        make_images(made)
        running = World(made)
        running.apply_examples()
        eventually(running.agents, 120, "an agent joins")
        running.open_shop()
        yield running
        # Whoever reads the log of a run sees what the programs said.
        print(json.dumps({"agent": running.agents()}))
        print(made.kubectl("logs", "--namespace=finial", "--selector=app=finial-agent"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the programs said when a test failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    found = getattr(item, "funcargs", {}).get("world")
    if report.failed and isinstance(found, World):
        report.sections.append(("the cluster", found.everything_said()))
