"""`examples/compose`, as its README says, on a real engine with the real Docker Compose.

Its image is built from its own Dockerfile on a base that is made here: this machine's Python, and
a `pip` that installs nothing, since no registry is asked.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Requirements
from tests.doubles.engines import IMAGE, PYTHON, DockerEngine, docker_engine, python_mounts
from tests.doubles.programs import ROOT, Up, eventually, short_folder, up

EXAMPLE = ROOT / "examples" / "compose"
SERVICES = ("bakery", "cafe")

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def engine(require: Requirements) -> Iterator[DockerEngine]:
    require.command("docker-compose", "apt-get install docker-compose")
    require.path("/bin/busybox", "apt-get install busybox-static")
    require.module("spiffe")
    with docker_engine(require, networks=True) as made:
        yield made


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


class Composed:
    """The example's file under Docker Compose, on an image made of this machine's Python."""

    def __init__(self, engine: DockerEngine, running: Up, place: Path) -> None:
        self._engine = engine
        self._environment = {**engine.environment, "FINIAL_DIR": str(running.folder)}
        self._override = place / "override.yaml"
        mounts = [each.removeprefix("--volume=") for each in python_mounts()]
        service = {
            "build": {"context": ".", "network": "none", "args": {"PYTHON": base(engine, place)}},
            "entrypoint": [PYTHON, "-u", "/service.py"],
            "volumes": mounts,
        }
        # What is JSON is YAML.
        self._override.write_text(json.dumps({"services": dict.fromkeys(SERVICES, service)}))

    def run(self, *arguments: str) -> str:
        files = ["-f", "compose.yaml", "-f", str(self._override)]
        done = subprocess.run(
            ["docker-compose", "-p", "finial", *files, *arguments],
            cwd=EXAMPLE,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def said(self, service: str) -> list[dict[str, Any]]:
        """Every line of one service, the oldest first."""
        container = self._engine.run("ps", "-aq", f"--filter=name=finial_{service}_1")
        text = self._engine.attempt("logs", container).stdout
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def count(self, service: str, member: str) -> int:
        return sum(member in line for line in self.said(service))


def base(engine: DockerEngine, place: Path) -> str:
    """Make an image in which a Dockerfile's commands can run before Python is mounted over them."""
    context = place / "base"
    context.mkdir()
    shutil.copy("/bin/busybox", context / "sh")
    (context / "pip").write_text('#!/bin/sh\nexec test install = "$1"\n')
    (context / "pip").chmod(0o755)
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY sh pip /usr/bin/\n")
    engine.run("build", "--quiet", "--tag=python:local", str(context))
    return "python:local"


def attestors(engine: DockerEngine, place: Path) -> Path:
    """The example's own file, with the path of this engine's socket."""
    example = (EXAMPLE / "attestors.toml").read_text()
    assert "\n[docker]\n" in example
    file = place / "attestors.toml"
    file.write_text(
        example.replace("[docker]\n", f'[docker]\ndocker_socket_path = "{engine.socket}"\n')
    )
    return file


def test_two_services_know_each_other_by_their_labels_through_a_restart(
    engine: DockerEngine, place: Path
) -> None:
    """Labels alone decide; calls go on while the agent is killed and comes back with new SVIDs."""
    with up(f"--attestors={attestors(engine, place)}", "--svid-ttl=20s") as running:
        composed = Composed(engine, running, place)
        for service in SERVICES:
            running.register(f"/{service}", f"docker:label:app:{service}")
        composed.run("up", "--build", "-d")
        eventually(lambda: composed.count("cafe", "asked") >= 3, 40, "cafe asks bakery")
        for service in SERVICES:
            known = {line["i_am"] for line in composed.said(service) if "i_am" in line}
            assert known == {f"spiffe://example.org/{service}"}
        serials = composed.count("cafe", "serial")
        os.kill(running["agent_pid"], signal.SIGKILL)
        asked = composed.count("cafe", "asked")
        # The services come back to the agent by themselves, and rotate again.
        eventually(lambda: composed.count("cafe", "serial") >= serials + 2, 60, "cafe rotates")
        assert composed.count("cafe", "asked") >= asked + 5
        assert composed.count("cafe", "failed") == composed.count("bakery", "refused") == 0


def test_a_service_without_the_label_gets_nothing(engine: DockerEngine, place: Path) -> None:
    """Same image, same user, another label: no identity, and the operator is told which it has."""
    with up(f"--attestors={attestors(engine, place)}") as running:
        composed = Composed(engine, running, place)
        running.register("/bakery", "docker:label:app:bakery")
        running.register("/cafe", "docker:label:app:tearoom")
        composed.run("up", "--build", "-d")
        eventually(lambda: composed.count("bakery", "i_am"), 30, "bakery has its identity")
        eventually(lambda: composed.count("cafe", "waiting"), 30, "cafe waits")
        assert composed.count("cafe", "i_am") == 0
        [refused] = running.finial("explain", "--last-refusals")["items"]
        told = running.finial("explain", "--refusal", refused["refusal"])
        nearest = {each["spiffe_id"]: each["missing"] for each in told["nearest"]}
        [missing] = nearest["spiffe://example.org/cafe"]
        assert (missing["wanted"], missing["closest"]) == (
            "docker:label:app:tearoom",
            "docker:label:app:cafe",
        )
