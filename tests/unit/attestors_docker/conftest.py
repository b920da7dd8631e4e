"""An engine that says what a test wants, and processes that exist as files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.engine_api import EngineApi, engine_api
from tests.doubles.proc_tree import ProcTree


@pytest.fixture
def api() -> Iterator[EngineApi]:
    with (
        tempfile.TemporaryDirectory(prefix="finial-engine-") as folder,
        engine_api(Path(folder) / "engine.sock") as running,
    ):
        yield running


@pytest.fixture
def processes(tmp_path: Path) -> ProcTree:
    return ProcTree(tmp_path)
