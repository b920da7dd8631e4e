"""Measure finial, and SPIRE beside it, and print a table; `make bench` runs this.

python -m benchmarks --rounds 3
python -m benchmarks --spire-server PATH --spire-agent PATH --only "one node joins"
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.measures import MEASURES, Bench, Measure
from benchmarks.meter import Spread, sign_microseconds
from benchmarks.peers import Peer, build_driver, finial, spire
from benchmarks.scale import SCALE_MEASURES

ALL: dict[str, Measure] = {**MEASURES, **SCALE_MEASURES}
RESULTS = Path(__file__).parent / "RESULTS.md"
Found = dict[str, dict[str, dict[str, list[float]]]]


def main() -> int:
    """Run the measures that were asked for, round by round, the peers in turn."""
    options = _options()
    bench = Bench(driver=build_driver(), sign=sign_microseconds())
    found: Found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    names = [name for name in ALL if not options.only or name in options.only]
    for round_ in range(options.rounds):
        for start in _peers(options):
            with start() as peer:
                _allow_everyone(bench, peer)
                for name in names:
                    print(f"round {round_ + 1}: {peer.name}: {name}", file=sys.stderr, flush=True)
                    for figure, value in ALL[name](bench, peer).items():
                        found[name][peer.name][figure].append(value)
    table = _render(found, bench.sign)
    print(table)
    if options.write:
        RESULTS.write_text(table)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=list(ALL))
    parser.add_argument("--spire-server", default=os.environ.get("SPIRE_SERVER"))
    parser.add_argument("--spire-agent", default=os.environ.get("SPIRE_AGENT"))
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    return parser.parse_args()


def _peers(options: argparse.Namespace) -> list:  # type: ignore[type-arg]
    starts: list = [finial]  # type: ignore[type-arg]
    if options.spire_server and options.spire_agent:

        def start() -> AbstractContextManager[Peer]:
            return spire(options.spire_server, options.spire_agent)

        starts.append(start)
    return starts


def _allow_everyone(bench: Bench, peer: Peer) -> None:
    """Register this user, so that the driver gets an SVID from the agent."""
    from benchmarks.registration import register_caller

    register_caller(peer)
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            [bench.driver, *peer.flags(), "-count=1", "first-svid"],
            input="go\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{peer.name}: no SVID for this user: {done.stderr}")
        time.sleep(0.5)


def _render(found: Found, sign: float) -> str:
    lines = [
        "# Results",
        "",
        f"{time.strftime('%Y-%m-%d')}, {_machine()}; one P-256 signature by `openssl speed` costs "
        f"{sign:.1f} us of CPU here. Median, with the least and the greatest where there were several rounds.",
        "",
        "| measure | who | figures |",
        "|---|---|---|",
    ]
    for name, peers in found.items():
        for peer, figures in peers.items():
            shown = "; ".join(
                f"{figure}: {Spread(tuple(values)).show(2 if 'ms' in figure else 1)}"
                for figure, values in figures.items()
            )
            lines.append(f"| {name} | {peer} | {shown} |")
    return "\n".join(lines) + "\n"


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
