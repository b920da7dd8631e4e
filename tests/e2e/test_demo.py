"""`make demo`, as whoever runs the tests and as an ordinary user."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.everybody import copied_for_everybody
from tests.doubles.programs import eventually

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, str(ROOT / "examples" / "demo")]


def verdict(output: str) -> Any:
    """Return the last line, which is JSON."""
    return json.loads(output.strip().splitlines()[-1])


@pytest.mark.slow
def test_both_services_rotate_and_no_call_fails() -> None:
    """After twenty-odd seconds both rotated at least three times, and the demo ends with 0."""
    done = subprocess.run(
        DEMO,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "DURATION": "22"},
    )
    found = verdict(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found["ok"] is True
    for service in found["services"]:
        assert service["rotations"] >= 3
        assert service["calls"] > 20
        assert service["failed"] == 0
    assert not list(Path(tempfile.gettempdir()).glob("finial-stage-*/service.py"))


def test_a_demo_that_ends_too_soon_is_not_good() -> None:
    """Without three rotations the exit status is 1, and the figures say why."""
    done = subprocess.run(
        DEMO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "DURATION": "2"},
    )
    assert done.returncode == 1
    assert verdict(done.stdout)["ok"] is False


def test_ctrl_c_ends_it_in_order() -> None:
    """Ctrl-C ends the services, the agent and the server, and the figures are still told."""
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids: list[int] = []
        for line in process.stdout:
            if line.split()[:1] in (["server"], ["agent"]):
                pids.append(int(line.split()[2].rstrip(",")))
            if " rotations " in line:
                break
        process.send_signal(signal.SIGINT)
        found = verdict(process.stdout.read())
        assert process.wait(20) == (0 if found["ok"] else 1)
    assert len(pids) == 2
    for pid in pids:
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 5)  # type: ignore[misc]


@pytest.mark.root
@pytest.mark.slow
def test_an_ordinary_user_sees_the_same(tmp_path: Path) -> None:
    """Somebody who is not root sees both services told apart by their interpreters' paths."""
    with tempfile.TemporaryDirectory() as home:
        python, environment = copied_for_everybody(Path(home))
        os.chown(home, 61009, 61009)
        done = subprocess.run(
            [python, f"{home}/checkout/examples/demo"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=home,
            env={"PATH": os.defpath, "HOME": home, "DURATION": "20", **environment},
            user=61009,
            group=61009,
            extra_groups=[],
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no security boundary" in done.stdout
    assert verdict(done.stdout)["ok"] is True
