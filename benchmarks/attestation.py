"""What it costs to find out who calls: by unix, by a real Docker engine, by a real systemd."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measures import Bench
from tests.conftest import Requirements
from tests.doubles.engines import docker_engine
from tests.doubles.programs import eventually
from tests.doubles.systemd import Systemd, systemd

ROOT = Path(__file__).parents[1]
PROCESSES = 200
AGAIN = 10_000
MANY = f"for i in $(seq {PROCESSES}); do sleep 1000 & done; wait"
SHELL = ("/bin/sh", "-c", MANY)


class Missing(Exception):
    """This machine lacks something that a row needs."""


class Needs(Requirements):
    """Says what is missing in a way that leaves the row out."""

    def missing(self, what: str, remedy: str) -> None:
        raise Missing(f"{what}; add it with: {remedy}")


def unix(bench: Bench) -> dict[str, float]:
    """Two hundred processes of this user, each for the first time and then again and again."""
    with subprocess.Popen(SHELL, start_new_session=True) as shell:
        try:
            return _figures(bench, _attest({"unix": {}}, _children(shell.pid)))
        finally:
            os.killpg(shell.pid, 9)


def docker(bench: Bench) -> dict[str, float]:
    """The same in one container of a Docker engine; cold asks the engine about each process."""
    with docker_engine(Needs()) as engine:
        container = engine.start(*SHELL, labels={"app": "web", "tier": "front"})
        tables = {
            "unix": {},
            "docker": {
                "docker_socket_path": f"unix://{engine.socket}",
                "podman_socket_path": "",
            },
        }
        return _figures(bench, _attest(tables, _children(container.pid)))


def with_systemd(bench: Bench) -> dict[str, float]:
    """The same in one service of a systemd of its own namespaces, in which the attestor runs, too."""
    with _booted() as booted:
        booted.start("web", "/bin/sh", "-c", f"'{MANY.replace('$', '$$')}'")
        pids = eventually(lambda: _pids_of(booted), 20, "the service's processes run")
        found = _attest({"unix": {}, "systemd": {}}, pids, prefix=booted.command())
        return _figures(bench, found)


@contextmanager
def _booted() -> Iterator[Systemd]:
    with systemd(Needs()) as booted:
        yield booted


def _pids_of(booted: Systemd) -> list[int] | None:
    group = booted.show("web.service", "ControlGroup")
    text = booted.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs")
    pids = [int(line) for line in text.split()]
    return pids if len(pids) > PROCESSES else None


def _children(shell: int) -> list[int]:
    def found() -> list[int] | None:
        text = Path(f"/proc/{shell}/task/{shell}/children").read_text()
        pids = [int(each) for each in text.split()]
        # Each begins as a copy of the shell.
        ready = [pid for pid in pids if os.readlink(f"/proc/{pid}/exe").endswith("sleep")]
        return ready if len(ready) == PROCESSES else None

    return eventually(found, 20, "the processes run")


def _attest(
    tables: dict[str, dict[str, Any]], pids: Sequence[int], prefix: Sequence[str] = ()
) -> dict[str, Any]:
    command = [*prefix, sys.executable, "-m", "benchmarks.attesting", json.dumps(tables)]
    done = subprocess.run(
        [*command, str(AGAIN), *map(str, pids)],
        capture_output=True,
        text=True,
        check=False,
        cwd=None if prefix else ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    wanted = [f"{name}: attested" for name in tables]
    if found["said"] and found["said"] != wanted:
        raise RuntimeError(f"attested by {found['said']}, not {wanted}")
    return found


def _figures(bench: Bench, found: dict[str, Any]) -> dict[str, float]:
    warm, cold = found["warm"], found["cold"]
    return {
        "selectors": found["selectors"],
        "again: signs": warm["us"] / bench.sign,
        "again: us": warm["us"],
        "again: p50 ms": warm["p50"],
        "again: p99 ms": warm["p99"],
        "first: signs": cold["us"] / bench.sign,
        "first: us": cold["us"],
        "first: p50 ms": cold["p50"],
        "first: p99 ms": cold["p99"],
    }


ATTESTATION: dict[str, Callable[[Bench], dict[str, float]]] = {
    "attest a caller: unix": unix,
    "attest a caller: unix and docker": docker,
    "attest a caller: unix and systemd": with_systemd,
}
