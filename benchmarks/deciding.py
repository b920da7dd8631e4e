"""Decisions about requests: what they cost and how long they take, with few rules and many."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.allow_all import allow_all
from benchmarks.measures import Bench, drive_at
from benchmarks.meter import sign_microseconds
from benchmarks.opa import opa
from benchmarks.ruling import Ruling, ruling, write_requests

RULES = (1, 100, 1000, 10_000)
BESIDE = (100, 10_000)
RATE = 1000
PACED = 3000
"""Requests that come at that rate, for three seconds."""

FULL = 10_000


def deciding(bench: Bench) -> dict[str, float]:
    """All numbers of rules in one agent, after the floor, and OPA's plugin where it is given."""
    found: dict[str, float] = {}
    with allow_all() as (pid, socket), tempfile.TemporaryDirectory() as folder:
        requests = Path(folder, "requests")
        write_requests(requests, 1)
        found |= _measured("allow-all", bench.driver, pid, socket, requests)
        found.pop("allow-all: refused")
        with ruling() as agent:
            for rules in RULES:
                found |= _with_rules(bench.driver, agent, rules, requests)
        if bench.opa:
            for rules in BESIDE:
                peer = _of_opa(bench.driver, bench.opa, rules, requests)
                found |= peer | _compared(rules, found, peer)
    return found


def _of_opa(driver: str, program: str, rules: int, requests: Path) -> dict[str, float]:
    with opa(program, rules) as (pid, socket):
        write_requests(requests, rules)
        return _decided(f"{rules:,} rules, OPA", driver, pid, socket, requests)


def _compared(rules: int, ours: dict[str, float], peer: dict[str, float]) -> dict[str, float]:
    """What finial needs of what OPA needs for the same."""
    name = f"{rules:,} rules"
    return {
        f"{name}, finial / OPA: {figure}": ours[f"{name}, {figure}"]
        / peer[f"{name}, OPA, {figure}"]
        for figure in (f"{RATE:,}/s: p50 ms", f"{RATE:,}/s: us", "full load: us")
    }


def _with_rules(driver: str, agent: Ruling, rules: int, requests: Path) -> dict[str, float]:
    agent.learn(rules)
    write_requests(requests, rules)
    name = f"{rules:,} rule{'s' * (rules > 1)}"
    return _decided(name, driver, agent.pid, agent.workload_socket, requests)


def _decided(name: str, driver: str, pid: int, socket: str, requests: Path) -> dict[str, float]:
    """What deciding costs, by somebody who refuses those who have to be refused."""
    found = _measured(name, driver, pid, socket, requests)
    assert abs(found.pop(f"{name}: refused") - 0.25) < 0.01, "another share than one in four"
    return found


def _measured(name: str, driver: str, pid: int, socket: str, requests: Path) -> dict[str, float]:
    """At the rate, and as fast as they go."""
    flags = (f"-workload-socket={socket}", f"-requests={requests}")
    # Every caller once: what a caller's first request makes ready is not measured.
    drive_at(driver, pid, "authorize", *flags, "-count=2000", "-workers=8")
    sign = sign_microseconds()
    paced = drive_at(driver, pid, "authorize", *flags, f"-rate={RATE}", f"-count={PACED}")
    full = drive_at(driver, pid, "authorize", *flags, "-workers=8", f"-count={FULL}")
    found = {
        f"{name}, {RATE:,}/s: p50 ms": paced.p50,
        f"{name}, {RATE:,}/s: p99 ms": paced.p99,
        f"{name}, {RATE:,}/s: signs": paced.microseconds / sign,
        f"{name}, {RATE:,}/s: us": paced.microseconds,
        f"{name}, full load: per second": full.operations / full.seconds,
        f"{name}, full load: signs": full.microseconds / sign,
        f"{name}, full load: us": full.microseconds,
    }
    return {**found, f"{name}: refused": full.extra[0]}


DECIDING: dict[str, Callable[[Bench], dict[str, float]]] = {"decide for a proxy": deciding}
