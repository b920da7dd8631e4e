"""One Docker engine for all tests of a worker, and for each file a server and an agent."""

from collections.abc import Iterator

import pytest

from tests.conftest import Requirements
from tests.doubles.engines import DockerEngine, docker_engine
from tests.doubles.programs import short_folder
from tests.e2e.containers.place import Place, place_with


@pytest.fixture(scope="session")
def docker() -> Iterator[DockerEngine]:
    with docker_engine(Requirements()) as engine:
        yield engine


@pytest.fixture(scope="module")
def programs(docker: DockerEngine) -> Iterator[Place]:
    """A server and an agent that asks that engine."""
    with short_folder() as folder, place_with(docker, folder) as made:
        yield made


@pytest.fixture
def place(programs: Place) -> Iterator[Place]:
    """The programs without entries; the containers and entries of the test end with it."""
    try:
        yield programs
    finally:
        programs.clear()
