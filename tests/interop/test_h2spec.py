"""h2spec judges HTTP/2 on both engines; what it finds is exactly what is explained."""

import asyncio
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from finial.wire.grpc.server import Server
from finial.wire.http2.engine import EngineName
from tests.conftest import Requirements
from tests.doubles.echo import Echo

MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"
EXPLAINED = Path(__file__).parent / "h2spec" / "differences.toml"
TESTS = 145

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("go")]


@pytest.fixture(scope="module")
def h2spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The judge, compiled once."""
    go = Requirements().command("go", "install Go 1.26 or later")
    folder = tmp_path_factory.mktemp("h2spec")
    # Made inside a module of its own, since the judge has no go.mod.
    (folder / "go.mod").write_text("module judge\n\ngo 1.24\n")
    for command in (
        ["get", MODULE],
        ["build", "-o", str(folder / "h2spec"), "github.com/summerwind/h2spec/cmd/h2spec"],
    ):
        subprocess.run([go, *command], cwd=folder, check=True, capture_output=True, text=True)
    return folder / "h2spec"


@pytest.mark.parametrize("engine", list(EngineName), ids=str)
def test_h2spec_finds_what_is_explained(h2spec: Path, tmp_path: Path, engine: EngineName) -> None:
    """Every difference that h2spec finds is in the list, and every one of the list is found."""
    report = tmp_path / "report.xml"
    asyncio.run(judge(h2spec, engine, report))
    cases = ET.parse(report).findall(".//testcase")
    assert len(cases) == TESTS
    found = {
        f"{case.get('package')}: {case.get('classname')}"
        for case in cases
        if case.find("error") is not None or case.find("failure") is not None
    }
    explained = tomllib.loads(EXPLAINED.read_text())
    assert found - set(explained["sometimes"]) == set(explained[engine.value])
    assert not [case for case in cases if case.find("skipped") is not None]


async def judge(h2spec: Path, engine: EngineName, report: Path) -> None:
    server: Server[Any] = Server([Echo().service()], identify=lambda transport: "", engine=engine)
    host, port = await server.listen_tcp("127.0.0.1", 0, None)
    arguments = ["-h", host, "-p", str(port), "--path", "/echo.Echo/Say", "-o", "3"]
    process = await asyncio.create_subprocess_exec(
        str(h2spec), *arguments, "-j", str(report), stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    await server.close(grace=0)
