"""grpc-js judges health, reflection and error codes."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import finial.wire.proto
from finial.runtime.watch import Watch
from finial.wire.grpc.health import health
from finial.wire.grpc.reflection import reflection
from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from tests.conftest import Requirements
from tests.doubles.echo import Echo

FOLDER = Path(__file__).parent / "node"
PROTO = Path(finial.wire.proto.__file__).parent

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node")]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The judge with its packages, installed once, outside the checkout."""
    requirements = Requirements()
    requirements.command("node", "sudo apt-get install nodejs")
    npm = requirements.command("npm", "sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", ".npmrc", "judge.js"):
        shutil.copy(FOLDER / name, folder)
    subprocess.run([npm, "ci", "--no-progress"], cwd=folder, check=True, capture_output=True)
    return folder / "judge.js"


@pytest.mark.parametrize("engine", list(EngineName), ids=str)
@pytest.mark.parametrize("subject", ["health", "reflection", "errors"])
def test_grpc_js_is_content(judge: Path, tmp_path: Path, engine: EngineName, subject: str) -> None:
    """A client in JavaScript reads health, reflection (WEP-21) and the codes of errors."""
    status, said = asyncio.run(ask(judge, tmp_path / "echo.sock", engine, subject))
    assert status == 0, said


async def ask(judge: Path, path: Path, engine: EngineName, subject: str) -> tuple[int, str]:
    services = [health(Watch({"": True, "a": False})), Echo().service()]
    server: Server[Any] = Server(
        [*services, *reflection(services)], identify=lambda transport: "", engine=engine
    )
    await server.listen_unix(path, 0o600)
    process = await asyncio.create_subprocess_exec(
        "node",
        str(judge),
        subject,
        env={**os.environ, "SOCKET": str(path), "PROTO": str(PROTO)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    await server.close(grace=0)
    return process.returncode or 0, said.decode()
