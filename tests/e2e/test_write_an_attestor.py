"""The plugin of `examples/write_an_attestor/`, as a stranger has it: found by its entry point."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.doubles.programs import ROOT, eventually, running, short_folder

EXAMPLE = ROOT / "examples" / "write_an_attestor"


@pytest.fixture
def installed(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which Python finds the plugin's module and metadata, as if installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    metadata = tmp_path / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    groups = project["entry-points"].items()
    text = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in groups
    )
    (metadata / "entry_points.txt").write_text(text)
    return {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, EXAMPLE, ROOT)))}


def test_its_own_tests_pass(installed: Mapping[str, str]) -> None:
    """What the example tests of itself, with the suite that we publish, holds."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--config-file=/dev/null", f"--rootdir={EXAMPLE}", str(EXAMPLE)],
        env={**os.environ, **installed}, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.root
def test_an_agent_uses_it(installed: Mapping[str, str], tmp_path: Path) -> None:
    """A workload in the namespace gets the identity, one beside it is refused, and is told why."""
    env = {**os.environ, **installed}
    named = tmp_path / "netns"
    named.mkdir()
    (named / "home").symlink_to(f"/proc/{os.getpid()}/ns/net")
    chosen = tmp_path / "attestors.toml"
    chosen.write_text(f'[unix]\n[netns]\nfolder = "{named}"\n')
    cli = [sys.executable, "-m", "cli"]

    def finial(*line: str, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        command = [*before, *cli, *line, "--output=json"]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=60
        )

    with short_folder() as made:
        up = [*cli, "up", f"--dir={made / 'd'}", "--port=0", "--output=json"]
        with running([*up, f"--attestors={chosen}"], env=installed) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            folder = f"--dir={made / 'd'}"
            entry = (
                "entry", "create", folder, f"--parent={ready['agent_id']}",
                "--spiffe-id=spiffe://example.org/home",
            )  # fmt: skip
            misspelled = finial(*entry, "--selector=netns:nam:home")
            assert misspelled.returncode != 0
            assert "netns:name:" in misspelled.stdout + misspelled.stderr
            created = finial(*entry, "--selector=netns:name:home")
            assert created.returncode == 0, created.stderr
            fetch = ("fetch", "x509", f"--socket=unix://{ready['workload_socket']}")
            eventually(lambda: "example.org/home" in finial(*fetch).stdout)
            outside = finial(*fetch, before=("unshare", "--net"))
            assert "no identity issued" in outside.stderr
            refusals = json.loads(finial("explain", "--last-refusals", folder).stdout)
            refusal = refusals["items"][0]["refusal"]
            told = finial("explain", f"--refusal={refusal}", folder)
            assert "network namespace has no name" in told.stdout, told.stdout + told.stderr
