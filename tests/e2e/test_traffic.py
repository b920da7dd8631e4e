"""Who calls whom, from the proxy's question to the operator's terminal, with real programs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from finial.wire.pb import envoy_authz_pb2
from tests.doubles.access import ORDERS, PAYMENT, question
from tests.doubles.programs import Up, eventually, finial, up

pytestmark = pytest.mark.slow
RULE = {
    "name": "orders may charge",
    "from": ORDERS,
    "to": PAYMENT,
    "methods": ["POST"],
    "paths": ["/transaction/*"],
}
GATEWAY = "spiffe://example.org/gateway"


def check(socket: str, *requests: Any) -> list[bool]:
    """Whether each of these requests may pass, as a proxy asks it."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_unary(
            "/envoy.service.auth.v3.Authorization/Check",
            request_serializer=envoy_authz_pb2.CheckRequest.SerializeToString,
            response_deserializer=envoy_authz_pb2.CheckResponse.FromString,
        )
        return [call(each, timeout=10).status.code == 0 for each in requests]


def traffic(world: Up, *arguments: str) -> list[dict[str, Any]]:
    found = world.finial("top", "--once", *arguments)
    items: list[dict[str, Any]] = found["items"]
    return items


def guard(world: Up, folder: Path, mode: str) -> None:
    """Register payment, a rule about it, and how much it enforces."""
    world.register("/payment", f"unix:uid:{os.geteuid()}")
    file = folder / "rule.json"
    file.write_text(json.dumps(RULE))
    world.finial("policy", "apply", str(file))
    world.finial("policy", "mode", PAYMENT, mode)

    def in_force() -> bool:
        try:
            return check(world["workload_socket"], question(path="/transaction/0")) == [True]
        except grpc.RpcError:
            return False

    eventually(in_force, 20, "the rule is in force at the agent")


def test_what_proxies_asked_is_seen_by_the_operator(tmp_path: Path) -> None:
    """Counted at the agent, collected by the server, shown by top; denials with their reasons."""
    with up() as world:
        guard(world, tmp_path, "enforce")
        asked = [question(path=f"/transaction/{number}") for number in range(1, 20)]
        refused = [question(GATEWAY, path="/refund/\x1b[2J"), question("", path="/refund")]
        assert check(world["workload_socket"], *asked, *refused) == [True] * 19 + [False] * 2
        pairs = {(row["caller"], row["means"], row["outcome"]): row for row in traffic(world)}
        assert set(pairs) == {
            (ORDERS, "mtls", "allowed"),
            (GATEWAY, "mtls", "denied"),
            (None, "none", "denied"),
        }
        assert pairs[ORDERS, "mtls", "allowed"]["count"] >= 20
        assert {row["callee"] for row in pairs.values()} == {PAYMENT}
        [denied] = traffic(world, "--requests", "--caller", GATEWAY)
        assert (denied["method"], denied["reason"]) == ("POST", "path_characters")
        assert denied["example"] == "/refund/\x1b[2J"
        shown = finial("top", "--once", "--requests", "--dir", str(world.folder)).stdout
        assert "\x1b" not in shown
        assert "/transaction/*" in shown
        assert "2 denied" in shown


def test_top_is_live_until_it_is_stopped(tmp_path: Path) -> None:
    """Each look is a line of JSON with rates; Ctrl-C ends it in peace."""
    with up() as world:
        guard(world, tmp_path, "shadow")
        command = [sys.executable, "-m", "cli", "top", "--output", "json", "--interval", "0.5"]
        command += ["--dir", str(world.folder)]
        top = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert top.stdout is not None
        try:
            first = json.loads(top.stdout.readline())
            assert {row["rate"] for row in first["items"]} == {None}
            check(world["workload_socket"], *(question(GATEWAY) for _ in range(50)))
            rates = []
            while not rates:
                look = json.loads(top.stdout.readline())
                rates = [row["rate"] for row in look["items"] if row["caller"] == GATEWAY]
            assert rates[0] > 0
            assert look["items"][0]["outcome"] == "shadowed"
            top.send_signal(signal.SIGINT)
            assert top.wait(10) == 130
        finally:
            top.kill()
            top.wait()
        [reported] = world.finial("policy", "report")["items"]
        assert (reported["caller"], reported["count"]) == (GATEWAY, 50)
