"""`examples/python`: FastAPI under uvicorn and httpx, through rotations without a restart."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.doubles.programs import ROOT, Up, eventually, finial, running, up

EXAMPLE = ROOT / "examples" / "python"
ME = "spiffe://example.org/shop"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A CA that rotates every few seconds, and one identity for this user's two services."""
    with up("--svid-ttl=8s", "--ca-ttl=32s", "--no-rate-limits") as running_up:
        running_up.register("/shop", f"unix:uid:{os.getuid()}")
        eventually(
            lambda: finial("fetch", "x509", env=environment(running_up)).returncode == 0,
            what="the identity",
        )
        yield running_up


def environment(world: Up) -> dict[str, str]:
    return {
        **os.environ,
        "SPIFFE_ENDPOINT_SOCKET": f"unix://{world['workload_socket']}",
        "PYTHONPATH": str(ROOT),
    }


@contextlib.contextmanager
def server(world: Up, caller: str) -> Iterator[str]:
    command = [sys.executable, str(EXAMPLE / "server.py"), caller]
    with running(command, environment(world)) as process:
        assert process.stdout
        port = json.loads(process.stdout.readline())["port"]
        yield f"https://127.0.0.1:{port}"


def client(world: Up, url: str, expected: str = ME, seconds: float = 0) -> Any:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "client.py"), url, expected, str(seconds)],
        env=environment(world),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_both_rotate_without_a_restart_and_no_call_fails(world: Up) -> None:
    """SVIDs of both sides and the authorities rotate, the application knows who calls."""
    with server(world, ME) as url:
        told = client(world, url, seconds=25)
    assert told["failed"] == 0, told
    assert told["calls"] > 100
    assert told["last"] == {"price": 42, "asked_by": ME}
    assert told["server_certificates"] >= 4
    assert told["own_certificates"] >= 4


def test_a_caller_who_is_not_meant_is_refused(world: Up) -> None:
    """An SVID of the trust domain is not enough."""
    with server(world, "spiffe://example.org/somebody-else") as url:
        assert client(world, url)["failed"] == 1


def test_a_server_who_is_not_meant_is_refused(world: Up) -> None:
    """The client names whom it calls by SPIFFE ID, and nobody else will do."""
    with server(world, ME) as url:
        told = client(world, url, "spiffe://example.org/somebody-else")
    assert told["failed"] == 1
    assert "the server is not spiffe://example.org/somebody-else" in told["errors"][0]


def test_a_caller_without_a_certificate_is_refused(world: Up) -> None:
    """Nobody gets to the application without an SVID."""
    with server(world, ME) as url, pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/price", verify=False, timeout=5)
