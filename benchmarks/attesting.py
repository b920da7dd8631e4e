"""Attest processes as an agent does, without its sockets, and say what it cost.

python -m benchmarks.attesting '{"unix": {}}' 5000 PID PID ...

The first of the processes is attested once before, so that programs, names and connections are
known. Then each of the others is attested for the first time, then all of them again and again.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.operations.attest_caller import CallerAttestation
from attestors.contract import WORKLOAD_ATTESTOR, WorkloadAttestor
from finial.runtime import plugins, settings
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer

TIMEOUT = 10.0


def attestors(tables: dict[str, dict[str, Any]]) -> list[WorkloadAttestor]:
    """Make attestors from their names and settings."""
    made = []
    for name, table in tables.items():
        module = plugins.load(WORKLOAD_ATTESTOR, name)
        made.append(module.create(settings.load(module.Settings, table, name)))
    return made


def peer(pid: int) -> KernelPeer:
    """What the kernel would say of that process if it had connected."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    uid, gid = (int(status[name].split()[0]) for name in ("Uid", "Gid"))
    return KernelPeer(pid, uid, gid, os.pidfd_open(pid))


async def measure(
    attestation: CallerAttestation, peers: Sequence[KernelPeer], count: int
) -> dict[str, float]:
    """Attest so often, the peers in turn; microseconds of CPU for one, and times in ms."""
    times = []
    before = time.process_time()
    for number in range(count):
        began = time.perf_counter()
        await attestation.attest(peers[number % len(peers)])
        times.append(time.perf_counter() - began)
    cpu = time.process_time() - before
    times.sort()
    return {
        "us": cpu / count * 1e6,
        "p50": times[len(times) // 2] * 1e3,
        "p99": times[int(len(times) * 0.99)] * 1e3,
    }


async def main() -> dict[str, Any]:
    """Measure both passes."""
    tables, count = json.loads(sys.argv[1]), int(sys.argv[2])
    first, *others = [peer(int(pid)) for pid in sys.argv[3:]]
    attestation = CallerAttestation(attestors(tables), SystemClock(), TIMEOUT)
    found = await attestation.attest(first)
    return {
        "selectors": len(found.selectors),
        "said": [f"{each.name}: {each.status}" for each in found.said],
        "cold": await measure(attestation, others, len(others)),
        "warm": await measure(attestation, others, count),
    }


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(main())))
