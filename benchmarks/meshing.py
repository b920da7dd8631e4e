"""What identity costs a call between Envoys, and how soon a kept connection is refused."""

import time
from collections.abc import Callable

from benchmarks.measures import Bench, Measure
from benchmarks.mesh import ORDERS, WAYS, Mesh, mesh, status
from benchmarks.peers import Peer

CALLS = 1500
"""Calls by each way, in turns of some."""

TURN = 100
ROUNDS = 12
_PATIENCE = 20.0


def meshing(_: Bench, peer: Peer) -> dict[str, float]:
    """All of it, with the same Envoys."""
    if peer.name != "finial":
        return {}
    with mesh(peer) as made:
        return {**_calls(made), **_block(made)}


def _calls(made: Mesh) -> dict[str, float]:
    """Sequential calls on connections that are kept, all ways in turn."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    connections = {way: made.caller(way) for way in WAYS}
    for way in WAYS:
        assert status(connections[way]) == 200, way
    for _ in range(CALLS // TURN):
        for way, connection in connections.items():
            for _ in range(TURN):
                began = time.perf_counter()
                answered = status(connection)
                seconds[way].append(time.perf_counter() - began)
                assert answered == 200, answered
    figures = {}
    for way, took in seconds.items():
        took.sort()
        figures[f"call, {way}: p50 ms"] = took[len(took) // 2] * 1000
        figures[f"call, {way}: p99 ms"] = took[len(took) * 99 // 100] * 1000
    added = figures["call, guarded: p50 ms"] - figures["call, plain: p50 ms"]
    return {**figures, "SDS and ext_authz add: p50 ms": added}


def _block(made: Mesh) -> dict[str, float]:
    """From the order to block the caller until its next request is refused, and back."""
    refused, back = [], []
    connection = made.caller("guarded")
    for _ in range(ROUNDS):
        began = time.monotonic()
        answer = made.server.post("/v1/blocks", json={"subject": ORDERS, "reason": "benchmark"})
        answer.raise_for_status()
        _until(lambda: status(connection) != 200)
        refused.append(time.monotonic() - began)
        began = time.monotonic()
        made.server.delete(f"/v1/blocks/{answer.json()['block']['id']}").raise_for_status()
        _until(lambda: status(connection) == 200)
        back.append(time.monotonic() - began)
        # Blocks that follow each other closely are told together.
        time.sleep(0.6)
    return {**_summary("blocked until refused", refused), **_summary("unblocked until let", back)}


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the Envoys do not take the change")
        time.sleep(0.002)


def _summary(name: str, took: list[float]) -> dict[str, float]:
    took = sorted(took)
    return {
        f"{name}: p50 ms": took[len(took) // 2] * 1000,
        f"{name}: greatest ms": took[-1] * 1000,
    }


MESHING: dict[str, Measure] = {"between Envoys": meshing}
