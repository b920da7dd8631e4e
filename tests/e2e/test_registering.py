"""Registering with real programs: typing errors are met, and a process proposes its selectors."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import pytest

from tests.doubles.programs import Up, eventually, finial, running, up


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    with up() as running_up:
        # The agent says what it runs a moment after it is there.
        names = (f"early{number}" for number in count())
        eventually(lambda: "no agent" in create(running_up, next(names), "docker:label:a:b").stderr)
        yield running_up


def create(world: Up, name: str, *selectors: str) -> subprocess.CompletedProcess[str]:
    asked = [f"--selector={each}" for each in selectors]
    return finial(
        "entry", "create", f"spiffe://example.org/{name}", *asked, "--dir", str(world.folder)
    )


def test_a_typing_error_is_met_with_the_nearest(world: Up) -> None:
    """The command ends with status 1 and says what may have been meant; --force insists."""
    done = create(world, "typo", "unix:uidd:1000")
    assert done.returncode == 1
    assert "did you mean unix:uid:1000?" in done.stderr
    forced = world.finial(
        "entry", "create", "spiffe://example.org/typo", "--selector", "unix:uidd:1000", "--force"
    )
    assert "gives no selectors unix:uidd" in forced["warnings"][0]
    changed = ("entry", "update", forced["id"], "--selector", "unix:uidd:1001")
    assert finial(*changed, "--dir", str(world.folder)).returncode == 1
    assert world.finial(*changed, "--force")["selectors"] == ["unix:uidd:1001"]


def test_what_no_agent_runs_is_refused(world: Up) -> None:
    """The only agent has said that it runs unix alone."""
    done = create(world, "web", "docker:label:app:web")
    assert "no agent runs the attestor docker" in done.stderr
    assert "[plugins.workload_attestor.docker]" in done.stderr


def test_a_process_proposes_its_selectors(world: Up) -> None:
    """Nothing is created before selectors are chosen; then they are those of the process."""
    with running([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        pid = str(process.pid)
        before = world.finial("entry", "count")
        found = world.finial("entry", "create", "--for-pid", pid)
        assert found["process"]["pid"] == process.pid
        proposed = {each["selector"]: each["trusts"] for each in found["selectors"]}
        assert "kernel" in proposed[f"unix:uid:{os.getuid()}"]
        assert world.finial("entry", "count") == before
        made = world.finial(
            "entry", "create", "spiffe://example.org/chosen", "--for-pid", pid,
            "--select", "unix:uid", "--select", "unix:path", "--agent", world["agent_id"],
        )  # fmt: skip
        assert made["parent_id"] == world["agent_id"]
        path, uid = made["selectors"]
        assert (path[:11], uid) == ("unix:path:/", f"unix:uid:{os.getuid()}")
        again = world.finial("entry", "create", "--for-pid", pid)
        assert made["id"] in [each["id"] for each in again["matches"]]
    gone = finial("entry", "create", "--for-pid", str(2**22), "--dir", str(world.folder))
    assert gone.returncode == 3


def test_options_that_make_no_sense_are_refused(world: Up) -> None:
    """Choices without a process, and no selectors at all."""
    for options in (
        ["--select", "unix:uid", "--selector", "unix:uid:1"],
        ["--agent", "x509pop/a", "--selector", "unix:uid:1"],
        [],
    ):
        done = finial(
            "entry", "create", "spiffe://example.org/x", *options, "--dir", str(world.folder)
        )
        assert done.returncode == 2
