"""The rows of the table that need many entries, many agents or a restart."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measures import Bench, Measure, begin, drive, driving
from benchmarks.meter import cpu_seconds, pss_mib
from benchmarks.peers import Peer
from benchmarks.registration import entry_count

AGENTS = 1000
HELD_SECONDS = 30.0


def idle_agents(bench: Bench, peer: Peer) -> dict[str, float]:
    """A server with 1,000 agents connected that have nothing to do."""
    with _connected(bench, peer):
        before, started = cpu_seconds(peer.server_pid), time.monotonic()
        time.sleep(HELD_SECONDS)
        used, passed = cpu_seconds(peer.server_pid) - before, time.monotonic() - started
        return {"% of a core": used / passed * 100, "server MiB": pss_mib(peer.server_pid)}


@contextmanager
def _connected(bench: Bench, peer: Peer) -> Iterator[None]:
    """Agents as the peer's own are: ours follow a stream, SPIRE's poll every five seconds."""
    if peer.name != "finial":
        hold = f"-hold={HELD_SECONDS + 15:.0f}s"
        with driving(bench, peer, "poll", f"-agents={AGENTS}", hold) as process:
            begin(process)
            time.sleep(6)
            yield
        return
    where = [peer.server_socket, peer.server_address, str(AGENTS), str(HELD_SECONDS + 60)]
    command = [sys.executable, "-m", "benchmarks.idle_agents", *where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.wait()


def registration(bench: Bench, peer: Peer) -> dict[str, float]:
    """33,000 entries with one parent, in batches of 500, through BatchCreateEntry."""
    return _register(bench, peer, 33_000)


def registration_to_100k(bench: Bench, peer: Peer) -> dict[str, float]:
    """67,000 more with the same parent; SPIRE would take the better part of an hour."""
    return _register(bench, peer, 67_000, 33_000) if peer.name == "finial" else {}


def restart(_: Bench, peer: Peer) -> dict[str, float]:
    """The server is ended and started again with every entry of the rows before."""
    restarted = peer.restart()
    return {
        "entries": entry_count(peer),
        "serving after s": restarted.seconds,
        "server MiB": pss_mib(restarted.pid),
    }


def _register(bench: Bench, peer: Peer, count: int, first: int = 0) -> dict[str, float]:
    parent = "/spire/agent/bench/registered"
    flags = [f"-count={count}", f"-first={first}", "-batch=500", f"-parent={parent}"]
    load = drive(bench, peer, peer.server_pid, "register", *flags)
    return {
        "per second": load.operations / load.seconds,
        "first tenth/s": load.extra[0],
        "last tenth/s": load.extra[-1],
        "server MiB": pss_mib(peer.server_pid),
    }


# These take minutes where a server slows down with its entries; `__main__` limits their rounds.
SCALE_MEASURES: dict[str, Measure] = {
    "1,000 idle agents": idle_agents,
    "registering 33,000 entries": registration,
    "registering up to 100,000": registration_to_100k,
    "restart with every entry": restart,
}
