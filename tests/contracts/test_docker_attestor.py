"""The docker attestor keeps the promises of attestors, also beside an engine that keeps none."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestors.contract import Process, WorkloadAttestor
from attestors.testing import WorkloadAttestorSuite
from attestors.workload import docker
from tests.doubles.engine_api import EngineApi, document, engine_api
from tests.doubles.proc_tree import ProcTree

ID = "ab" * 32


class TestDocker(WorkloadAttestorSuite):
    env: bool | tuple[str, ...] = False
    merge = False

    @pytest.fixture(autouse=True)
    def _engine(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="finial-contract-") as folder:
            (Path(folder) / "proc").mkdir()
            self.tree = ProcTree(Path(folder) / "proc")
            self.tree.add(1, f"0::/docker/{ID}\n")
            with engine_api(Path(folder) / "engine.sock") as self.api:
                self.say(self.api)
                yield

    def say(self, api: EngineApi) -> None:
        labels = {"app": "web", "com.docker.compose.project": "shop", "from": "image", "a:b": "c"}
        config = {"Env": ["TIER=gold", "TOKEN=two\nlines", "LANG=C"]}
        api.container(ID, 1, labels=labels, config=config)
        api.image(Labels={"from": "image"}, Env=["LANG=C"])
        api.answers["/version"] = document({"Version": "20.10", "ApiVersion": "1.41"})

    def attestor(self) -> WorkloadAttestor:
        settings = docker.Settings(
            docker_socket_path=str(self.api.path),
            podman_socket_path="",
            env=self.env,
            merge_image_labels=self.merge,
            timeout=0.5,
        )
        return docker.create(settings)

    def process(self) -> Process:
        return self.tree.add(7, f"0::/docker/{ID}/inner\n")


class TestDockerWithEnvironment(TestDocker):
    env = True


class TestDockerWithNamedVariables(TestDocker):
    env = ("TIER", "NOTHING")


class TestDockerAsSpireHasIt(TestDocker):
    env = True
    merge = True


class TestDockerWithTheWorstLabels(TestDocker):
    def say(self, api: EngineApi) -> None:
        super().say(api)
        worst = {
            "": "empty key",
            "empty": "",
            "null": None,
            "escape": "\x1b[2J",
            "long": "x" * 60_000,
            "colon:key": "value",
            "com.docker.compose.service": "web\r\n",
            "line\nfeed": "x",
            "\u202eright-to-left": "\u2028",
        }
        labels = {**worst, **{f"many.{number}": "x" for number in range(900)}}
        api.container(ID, 1, labels=labels, Name="/../../etc", Image="latest")


class TestDockerBesideAnEngineThatHangs(TestDocker):
    """It has nothing to give, in time."""

    def say(self, api: EngineApi) -> None:
        def silent(connection: socket.socket) -> None:
            connection.recv(1)

        api.answers[f"/containers/{ID}/json"] = silent
        api.answers["/version"] = silent

    def test_selectors_keep_to_the_grammar(self) -> None:
        """There are none."""
