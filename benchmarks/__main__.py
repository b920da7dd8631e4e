"""Measure finial, and SPIRE beside it, and print a table; `make bench` runs this.

python -m benchmarks --rounds 3
python -m benchmarks --spire-server PATH --spire-agent PATH --only "one node joins"
python -m benchmarks --opa PATH --only "decide for a proxy"
"""

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from benchmarks.attestation import ATTESTATION, Missing
from benchmarks.blocking import blocking
from benchmarks.deciding import DECIDING
from benchmarks.floors import FLOORS
from benchmarks.matching import explanation, matching
from benchmarks.measures import MEASURES, Bench, Measure
from benchmarks.meshing import MESHING
from benchmarks.meter import sign_microseconds
from benchmarks.peers import Peer, built_driver, finial, spire
from benchmarks.registration import register_caller
from benchmarks.report import ACCESS, ATTESTING, MAIN, Found, render, store
from benchmarks.scale import SCALE_MEASURES

EXPLAINING: dict[str, Measure] = {"explain beside 500 entries": explanation}
BLOCKING: dict[str, Measure] = {"block at 1,000 agents": blocking}
ALL: dict[str, Measure] = {**MEASURES, **EXPLAINING, **SCALE_MEASURES, **BLOCKING, **MESHING}
ALONE = {**FLOORS, **ATTESTATION, **DECIDING, "match with 500 entries": matching}
OF_ATTESTATION = {*ATTESTATION, *EXPLAINING, "match with 500 entries"}
OF_ACCESS = {*DECIDING, *MESHING, *BLOCKING}
Start = Callable[[], AbstractContextManager[Peer]]


def main() -> int:
    """Run the measures that were asked for, round by round, the peers in turn."""
    options = _options()
    found: Found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with built_driver() as driver:
        for round_ in range(options.rounds):
            _measure_alone(found, driver, options, round_)
            for start in _peers(options):
                _measure_peer(found, driver, start, _names(options, start, round_), round_)
    for name, rows in _tables(found).items():
        table = render(rows)
        print(table)
        if options.write:
            store(name, table)
    return 0


def _tables(found: Found) -> dict[str, Found]:
    """The tables of RESULTS.md for which something was measured."""
    tables: dict[str, Found] = {MAIN: {}, ATTESTING: {}, ACCESS: {}}
    for name, peers in found.items():
        tables[_table(name)][name] = peers
    return {name: rows for name, rows in tables.items() if rows}


def _table(name: str) -> str:
    if name in OF_ACCESS:
        return ACCESS
    return ATTESTING if name in OF_ATTESTATION else MAIN


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=[*ALONE, *ALL])
    parser.add_argument("--spire-server", default=os.environ.get("SPIRE_SERVER"))
    parser.add_argument("--spire-agent", default=os.environ.get("SPIRE_AGENT"))
    parser.add_argument("--opa", default=os.environ.get("OPA"), help="OPA's Envoy plugin")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    return parser.parse_args()


def _peers(options: argparse.Namespace) -> Iterator[Start]:
    yield finial
    if options.spire_server and options.spire_agent:
        yield partial(spire, options.spire_server, options.spire_agent)


def _names(options: argparse.Namespace, start: Start, round_: int) -> list[str]:
    """SPIRE takes ten minutes to register what the rows of scale need, so it does so once."""
    slow = start is not finial and round_ > 0
    names = MEASURES if slow else ALL
    return [name for name in names if not options.only or name in options.only]


def _measure_alone(found: Found, driver: str, options: argparse.Namespace, round_: int) -> None:
    """The rows that need neither a server nor an agent."""
    for name, measure in ALONE.items():
        if options.only and name not in options.only:
            continue
        print(f"round {round_ + 1}: {name}", file=sys.stderr, flush=True)
        bench = Bench(driver, sign_microseconds(), options.opa)
        try:
            _note(found, name, "finial", measure(bench))
        except Missing as missing:
            print(f"{name} is left out: {missing}", file=sys.stderr, flush=True)


def _measure_peer(found: Found, driver: str, start: Start, names: list[str], round_: int) -> None:
    if not names:
        return
    with start() as peer:
        _allow_everyone(driver, peer)
        for name in names:
            print(f"round {round_ + 1}: {peer.name}: {name}", file=sys.stderr, flush=True)
            # Just before each row: a neighbour that slows the row slows the signature too.
            bench = Bench(driver, sign_microseconds())
            _note(found, name, peer.name, ALL[name](bench, peer))


def _note(found: Found, name: str, peer: str, figures: dict[str, float]) -> None:
    for figure, value in figures.items():
        found[name][peer][figure].append(value)


def _allow_everyone(driver: str, peer: Peer) -> None:
    """Register this user, so that the driver gets an SVID from the agent."""
    register_caller(peer)
    command = [driver, *peer.flags(), "-count=1", "first-svid"]
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(command, input="go\n", capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{peer.name}: no SVID for this user: {done.stderr}")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
