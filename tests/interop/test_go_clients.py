"""go-spiffe on the Workload API and SPIRE's API client on the server, as their users run them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import Up, eventually, finial, up

FOLDER = Path(__file__).parent / "go"
PEER = Path(__file__).parent / "mtls_peer.py"
TESTS = [
    line.removeprefix("func ").partition("(")[0]
    for path in sorted(FOLDER.glob("*_test.go"))
    for line in path.read_text().splitlines()
    if line.startswith("func Test")
]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("go")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The judges, compiled once."""
    go = Requirements().command("go", "install Go 1.26 or later")
    target = tmp_path_factory.mktemp("go") / "judges"
    subprocess.run([go, "test", "-c", "-o", str(target), "."], cwd=FOLDER, check=True)
    return target


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A server and an agent with short-lived SVIDs, and an entry for this user."""
    with up("--svid-ttl=10s", "--ca-ttl=5m", "--no-rate-limits") as running_up:
        running_up.register("/judge", f"unix:uid:{os.getuid()}")
        environment = {**os.environ, "SPIFFE_ENDPOINT_SOCKET": socket_of(running_up)}
        eventually(
            lambda: finial("fetch", "x509", env=environment).returncode == 0,
            what="the judge has an identity",
        )
        yield running_up


def socket_of(world: Up) -> str:
    return f"unix://{world['workload_socket']}"


def environment_of(world: Up) -> dict[str, str]:
    private = world.folder / "private"
    return {
        **os.environ,
        "SPIFFE_ENDPOINT_SOCKET": socket_of(world),
        "FINIAL_EXPECT_ID": "spiffe://example.org/judge",
        "FINIAL_PEER": f"{sys.executable} {PEER}",
        "FINIAL_SERVER_SOCKET": world["server_socket"],
        "FINIAL_GRPC_ADDRESS": world["grpc_address"],
        "FINIAL_TRUST_DOMAIN": "example.org",
        "FINIAL_NODE_CERTIFICATE": str(next(private.rglob("node*.pem"))),
        "FINIAL_NODE_KEY": str(next(private.rglob("node*.key"))),
    }


@pytest.mark.parametrize("name", [name for name in TESTS if name != "TestWorkloadUnregistered"])
def test_a_go_client_is_content(name: str, compiled: Path, world: Up) -> None:
    """Each judge of go-spiffe and SPIRE's API client finds what the standard promises it."""
    judge(compiled, name, environment_of(world))


@pytest.mark.root
def test_go_spiffe_without_an_entry_is_denied(compiled: Path, world: Up) -> None:
    """WAPI-27: a caller of another uid, without an entry, is told PermissionDenied."""
    compiled.chmod(0o755)
    for folder in compiled.parents:
        if folder.owner() == "root" and folder != Path("/") and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    judge(
        compiled,
        "TestWorkloadUnregistered",
        {"SPIFFE_ENDPOINT_SOCKET": socket_of(world), "FINIAL_EXPECT_NONE": "yes"},
        user=65534,
    )


def judge(compiled: Path, name: str, environment: dict[str, str], user: int | None = None) -> None:
    done = subprocess.run(
        [str(compiled), "-test.v", "-test.run", f"^{name}$"],
        env=environment,
        user=user,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--- PASS: {name}" in done.stdout, done.stdout
