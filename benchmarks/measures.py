"""The rows of the table that load one server and one agent: each says what it cost."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.meter import cpu_seconds, pss_mib
from benchmarks.peers import Peer


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measure needs: the driver, and the CPU time of one signature just now, in us.

    `opa` is the program of OPA's Envoy plugin, to be measured beside what decides for proxies.
    """

    driver: str
    sign: float
    opa: str | None = None

    def cost(self, load: "Load") -> dict[str, float]:
        """What one operation cost the process under load."""
        return {"signs": load.microseconds / self.sign, "us": load.microseconds}


@dataclass(frozen=True, slots=True)
class Load:
    """What the driver saw and what the process under load used meanwhile."""

    operations: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    extra: tuple[float, ...]

    @property
    def microseconds(self) -> float:
        """CPU time of the process under load for one operation."""
        return self.cpu / self.operations * 1e6


def drive(bench: Bench, peer: Peer, pid: int, measure: str, *flags: str) -> Load:
    """Run one measure of the driver and meter a process while it lasts."""
    return drive_at(bench.driver, pid, measure, *peer.flags(), *flags)


def drive_at(driver: str, pid: int, measure: str, *flags: str) -> Load:
    """The same where the flags say all that there is to be said."""
    with _driving(driver, measure, *flags) as process:
        before = cpu_seconds(pid)
        begin(process)
        out = finish(process)
        after = cpu_seconds(pid)
    return Load(
        operations=out["operations"],
        seconds=out["seconds"],
        cpu=after - before,
        p50=out.get("p50_ms", 0.0),
        p99=out.get("p99_ms", 0.0),
        extra=tuple(out.get("extra", ())),
    )


@contextmanager
def driving(bench: Bench, peer: Peer, measure: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Start a measure and wait until it is prepared."""
    with _driving(bench.driver, measure, *peer.flags(), *flags) as process:
        yield process


@contextmanager
def _driving(driver: str, measure: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    command = [driver, *flags, measure]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    if process.stdout.readline() != "ready\n":
        process.wait()
        raise RuntimeError(f"the driver could not prepare {measure}")
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def begin(process: subprocess.Popen[str]) -> None:
    """Let the load begin."""
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[str]) -> dict:
    """Wait for the driver's line."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the driver failed")
    return json.loads(line)


Measure = Callable[[Bench, Peer], dict[str, float]]


def x509_batches(bench: Bench, peer: Peer) -> dict[str, float]:
    """X.509-SVIDs, 50 a call, four agents."""
    flags = ("-batch=50", "-agents=4")
    drive(bench, peer, peer.server_pid, "x509", *flags, "-count=1000")
    return _rated(bench, drive(bench, peer, peer.server_pid, "x509", *flags, "-count=10000"))


def x509_single(bench: Bench, peer: Peer) -> dict[str, float]:
    """X.509-SVIDs, one a call, four agents."""
    flags = ("-batch=1", "-count=3000", "-agents=4")
    return _rated(bench, drive(bench, peer, peer.server_pid, "x509", *flags))


def jwt(bench: Bench, peer: Peer) -> dict[str, float]:
    """JWT-SVIDs, one a call, four agents."""
    flags = ("-batch=1", "-count=4000", "-agents=4")
    return _rated(bench, drive(bench, peer, peer.server_pid, "jwt", *flags))


def cheapest_call(bench: Bench, peer: Peer) -> dict[str, float]:
    """PostStatus, four agents: what a call costs with nothing behind it.

    SPIRE lets an address call it ten times a second and has no setting for that.
    """
    if peer.name != "finial":
        return {}
    flags = ("-count=8000", "-agents=4")
    return _rated(bench, drive(bench, peer, peer.server_pid, "status", *flags))


def first_svid(bench: Bench, peer: Peer) -> dict[str, float]:
    """A new connection each time until the first SVID."""
    drive(bench, peer, peer.agent_pid, "first-svid", "-count=200")
    load = drive(bench, peer, peer.agent_pid, "first-svid", "-count=3000")
    return {**bench.cost(load), "p50 ms": load.p50, "p99 ms": load.p99}


def cached_jwt(bench: Bench, peer: Peer) -> dict[str, float]:
    """FetchJWTSVID from the agent's cache, connection kept, eight callers."""
    flags = ("-count=20000", "-workers=8")
    return _rated(bench, drive(bench, peer, peer.agent_pid, "cached-jwt", *flags))


def propagation(bench: Bench, peer: Peer) -> dict[str, float]:
    """From an entry's creation to its SVID in an open stream, and from its deletion to gone."""
    count = "-count=100" if peer.name == "finial" else "-count=6"
    load = drive(bench, peer, peer.server_pid, "propagate", count)
    return {
        "created p50 ms": load.p50,
        "created p99 ms": load.p99,
        "gone p50 ms": load.extra[0],
        "gone p99 ms": load.extra[1],
    }


def agent_memory(bench: Bench, peer: Peer) -> dict[str, float]:
    """Memory of the agent, idle and with 1,000 open streams."""
    idle = pss_mib(peer.agent_pid)
    with driving(bench, peer, "streams", "-count=1000", "-hold=60s"):
        time.sleep(2)
        loaded = pss_mib(peer.agent_pid)
    return {
        "idle MiB": idle,
        "1,000 streams MiB": loaded,
        "KiB a stream": (loaded - idle) * 1024 / 1000,
    }


def joins(bench: Bench, peer: Peer) -> dict[str, float]:
    """One node joins: token made, attested, connected again with its SVID, entries asked for."""
    load = drive(bench, peer, peer.server_pid, "join", "-count=200")
    return {**bench.cost(load), "p50 ms": load.p50}


def joins_together(bench: Bench, peer: Peer) -> dict[str, float]:
    """Sixteen nodes join at the same time, again and again, as after a power cut."""
    load = drive(bench, peer, peer.server_pid, "join", "-count=320", "-workers=16")
    return _rated(bench, load)


def _rated(bench: Bench, load: Load) -> dict[str, float]:
    return {**bench.cost(load), "per second": load.operations / load.seconds}


# Memory first: what later rows leave behind in an allocator is theirs.
MEASURES: dict[str, Measure] = {
    "agent memory": agent_memory,
    "X.509-SVIDs, 50 a call": x509_batches,
    "X.509-SVIDs, one a call": x509_single,
    "JWT-SVIDs": jwt,
    "cheapest call of an agent": cheapest_call,
    "connect to first SVID": first_svid,
    "FetchJWTSVID from the cache": cached_jwt,
    "entry to SVID, and gone": propagation,
    "one node joins": joins,
    "sixteen nodes join at once": joins_together,
}
