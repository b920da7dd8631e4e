"""Floors measured in the same run: what no implementation on this machine can go below."""

import json
import subprocess
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.measures import Bench

ROUNDS = 2000


def raw_calls(bench: Bench) -> dict[str, float]:
    """The library's own sign and verify, called in a loop."""
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    public_key, message = key.public_key(), b"x" * 300
    signature = key.sign(message, algorithm)
    return {
        "openssl sign us": bench.sign,
        "sign us": _microseconds(lambda: key.sign(message, algorithm)),
        "verify us": _microseconds(lambda: public_key.verify(signature, message, algorithm)),
    }


def bare_layer(bench: Bench) -> dict[str, float]:
    """A bare echo on the gRPC layer, driven by as little as a client can be."""
    command = [sys.executable, "-m", "benchmarks.grpc_floor", "--loop", "uvloop", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {
        "unary us": found["unary"],
        "unary signs": found["unary"] / bench.sign,
        "new connection us": found["connection"],
        "new connection signs": found["connection"] / bench.sign,
        "idle MiB": found["idle"],
        "KiB a stream": found["stream"],
    }


def _microseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - began) / ROUNDS * 1e6


FLOORS: dict[str, Callable[[Bench], dict[str, float]]] = {
    "floor: one signature, one verification": raw_calls,
    "floor: bare echo on the gRPC layer": bare_layer,
}
