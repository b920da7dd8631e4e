"""The systemd attestor and a real systemd, which is process 1 of its own namespaces."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import ROOT, Up, eventually, running
from tests.doubles.systemd import PRIVATE, SYSTEM_BUS, Systemd, systemd

pytestmark = pytest.mark.root

ALICE: Final = 4711
CLI: Final = (sys.executable, "-m", "cli")
OURS: Final = {"Environment": f"PYTHONPATH={ROOT}"}
OF_ALICE: Final = {"XDG_RUNTIME_DIR": f"/run/user/{ALICE}", "HOME": "/home/alice"}
BOTH: Final = "[systemd]\n[unix]\ndiscover_cgroup = true\n"
SLEEP: Final = ("/bin/sleep", "1000")

# Attests the PIDs that it is told, one a line with its seconds; the arguments are the sockets of the manager.
ATTEST: Final = """
import asyncio, sys, time
from attestors.contract import Attested, Process
from attestors.workload.systemd.attestor import Settings, SystemdAttestor
from attestors.workload.systemd.listener import Address
from attestors.workload.systemd.manager import ServiceManager
from finial.runtime.clock import SystemClock

async def main(nested, *paths):
    clock = SystemClock()
    manager = ServiceManager(clock, [Address(path, "dbus" in path) for path in paths])
    attestor = SystemdAttestor(Settings(nested == "nested"), manager, clock)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        pid, seconds = map(int, line.split())
        process = Process(pid, 0, 0, f"/proc/{pid}")
        found = await attestor.attest(process, time.monotonic() + seconds)
        said = [s.value for s in found.selectors] if isinstance(found, Attested) else repr(found)
        print(said, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Asked:
    """An attestor that runs somewhere else."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def about(self, pid: int, seconds: int = 10) -> str:
        """What it finds out about a process, as Python writes it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{pid} {seconds}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def booted() -> Iterator[Systemd]:
    with systemd(Requirements()) as booted:
        yield booted


@contextmanager
def attestor(command: list[str], *arguments: str) -> Iterator[Asked]:
    line = [*command, sys.executable, "-c", ATTEST, *arguments]
    env = {"PYTHONPATH": str(ROOT)}
    with running(line, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Asked(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


@contextmanager
def up_inside(booted: Systemd, attestors: str) -> Iterator[Up]:
    """Run `finial up` as a unit of that systemd."""
    folder = booted.shared
    (folder / "up.json").unlink(missing_ok=True)
    (folder / "attestors.toml").write_text(attestors)
    line = (*CLI, "up", "--dir=/mnt/d", "--port=0", "--output=json")
    output = {"StandardOutput": "file:/mnt/up.json", "KillMode": "mixed"}
    booted.start("finial", *line, "--attestors=/mnt/attestors.toml", **output, **OURS)
    try:
        made, words = folder / "up.json", folder / "finial.err"

        def is_ready() -> bool:
            state = booted.show("finial.service", "ActiveState")
            assert state in ("active", "activating"), words.read_text()
            return made.exists() and made.read_text().endswith("\n")

        eventually(is_ready, what="finial up is ready")
        yield Up(folder / "d", None, json.loads(made.read_text()))  # type: ignore[arg-type]
    finally:
        booted.run("systemctl", "stop", "finial.service")
        shutil.rmtree(folder / "d", ignore_errors=True)


def fetched(booted: Systemd, unit: str, **settings: str) -> Any:
    """What a service of that name is given by the Workload API: IDs, or the refusal's text."""
    answer, error = booted.shared / f"{unit}.json", booted.shared / f"{unit}.err"
    for path in (answer, error):
        path.unlink(missing_ok=True)
    line = (*CLI, "fetch", "x509", "--socket=unix:///mnt/d/workload/workload.sock")
    given = {"Type": "oneshot", "StandardOutput": f"file:/mnt/{answer.name}", **OURS, **settings}
    try:
        booted.start(unit, *line, "--output=json", **given)
    except AssertionError:
        return error.read_text()
    return [each["spiffe_id"] for each in json.loads(answer.read_text())["svids"]]


@contextmanager
def manager_of_alice(booted: Systemd) -> Iterator[None]:
    """Run a user's own service manager, as it runs while the user is logged in."""
    booted.run("systemctl", "start", f"user@{ALICE}.service")
    try:
        yield
    finally:
        booted.run("systemctl", "stop", f"user@{ALICE}.service")


def start_as_alice(booted: Systemd, name: str, service: str) -> None:
    """Start a unit of the user's own manager."""
    booted.unit(name, f"[Service]\n{service}\n", "/home/alice/.config/systemd/user")
    for action in (("daemon-reload",), ("start", name)):
        booted.run("systemctl", "--user", *action, uid=ALICE, env=OF_ALICE)


def pid_of_alice(booted: Systemd, name: str) -> int:
    show = ("systemctl", "--user", "show", "--value", "--property=MainPID", name)
    return int(booted.run(*show, uid=ALICE, env=OF_ALICE))


def test_a_service_gets_the_identity_of_its_unit(booted: Systemd) -> None:
    """An agent beside the service tells it by its unit, also after the manager was replaced."""
    with up_inside(booted, BOTH) as up:
        up.register("/group", "unix:cgroup:/system.slice/group.service")
        up.register("/web", "systemd:id:web.service")
        up.register("/pay", "systemd:fragment_path:/etc/systemd/system/pay.service")
        up.register("/slice", "systemd:slice:bills.slice", "systemd:id:bill.service")
        there = [["spiffe://example.org/web"]]
        assert eventually(lambda: [fetched(booted, "web")] == there, what="the entry arrives")
        assert fetched(booted, "pay") == ["spiffe://example.org/pay"]
        assert fetched(booted, "bill", Slice="bills.slice") == ["spiffe://example.org/slice"]
        assert "no identity issued" in fetched(booted, "bill", Slice="other.slice")
        assert "no identity issued" in fetched(booted, "webb")
        assert fetched(booted, "group") == ["spiffe://example.org/group"]
        booted.run("systemctl", "daemon-reexec")
        assert fetched(booted, "web") == ["spiffe://example.org/web"]


def test_a_users_unit_is_never_taken_for_the_systems(booted: Systemd) -> None:
    """A user who calls a unit web.service is that user's unit, and nothing else."""
    with up_inside(booted, BOTH) as up, manager_of_alice(booted):
        up.register("/web", "systemd:id:web.service")
        up.register("/notes", f"systemd:user_unit:{ALICE}:notes.service")
        of_alice = f"/user.slice/user-{ALICE}.slice/user@{ALICE}.service"
        up.register("/alice", f"unix:cgroup:{of_alice}")
        up.register("/hers", f"unix:cgroup:{of_alice}/app.slice/mine.service")
        folder = booted.inside("/home/alice")

        def told(unit: str) -> str:
            line = f"{' '.join(CLI)} fetch x509 --socket unix:///mnt/d/workload/workload.sock"
            shell = f"/bin/sh -c '{line} --output json >/home/alice/{unit} 2>&1; true'"
            settings = f"Type=oneshot\nEnvironment=PYTHONPATH={ROOT}\nExecStart={shell}"
            start_as_alice(booted, unit, settings)
            return (folder / unit).read_text()

        assert eventually(lambda: "example.org/notes" in told("notes.service"))
        assert "example.org/web" not in told("web.service")
        mine = told("mine.service")
        assert "example.org/alice" in mine
        assert "example.org/hers" not in mine
        assert fetched(booted, "web") == ["spiffe://example.org/web"]
        assert "no identity issued" in fetched(booted, "notes")


def test_every_run_of_a_unit_has_its_own_id(booted: Systemd) -> None:
    """After a restart, or an end by kill -9, the unit is the same and its invocation another."""
    booted.start("again", *SLEEP, Restart="always", RestartSec="0")
    seen = []
    with attestor(booted.command(), "own", PRIVATE) as asked:
        for restart in (("restart",), ("kill", "--signal=KILL"), ()):
            pid = booted.main_pid("again.service")
            seen.append(invocation := booted.show("again.service", "InvocationID"))
            assert f"'invocation_id:{invocation}'" in asked.about(pid)
            assert "'id:again.service'" in asked.about(pid)
            if restart:
                booted.run("systemctl", *restart, "again.service")
                eventually(lambda before=pid: booted.main_pid("again.service") not in (0, before))
    assert len(set(seen)) == 3


@pytest.mark.parametrize("socket", [PRIVATE, SYSTEM_BUS])
def test_both_sockets_answer_the_same(booted: Systemd, socket: str) -> None:
    """The manager's own socket and the system bus say the same of a unit."""
    booted.start("same", *SLEEP, Slice="bills.slice")
    with attestor(booted.command(), "own", socket) as asked:
        found = asked.about(booted.main_pid("same.service"))
    assert found == str(
        [
            "id:same.service",
            "fragment_path:/etc/systemd/system/same.service",
            "slice:bills.slice",
            f"invocation_id:{booted.show('same.service', 'InvocationID')}",
        ]
    )


def test_an_agent_without_rights_asks_the_bus(booted: Systemd) -> None:
    """Another user's attestor is answered on the system bus, and after the bus was restarted."""
    booted.start("seen", *SLEEP)
    pid = booted.main_pid("seen.service")
    rights = ("setpriv", f"--reuid={ALICE}", f"--regid={ALICE}", "--clear-groups")
    with attestor(booted.command(*rights), "own", SYSTEM_BUS) as asked:
        assert "'id:seen.service'" in asked.about(pid)
        booted.run("systemctl", "restart", "dbus.service")
        assert "'id:seen.service'" in asked.about(pid)
        booted.run("systemctl", "daemon-reexec")
        assert "'id:seen.service'" in asked.about(pid)
        booted.run("systemctl", "stop", "dbus.socket", "dbus.service")
        assert "Kind.UNAVAILABLE" in asked.about(pid)
        booted.run("systemctl", "start", "dbus.socket")
        assert "'id:seen.service'" in asked.about(pid)


@pytest.mark.parametrize("socket", [PRIVATE, SYSTEM_BUS])
def test_a_manager_that_hangs_holds_nobody_up(booted: Systemd, socket: str) -> None:
    """While process 1 stands still callers get their answer in time, and then again the right one."""
    booted.start("still", *SLEEP)
    pid = booted.main_pid("still.service")
    with attestor(booted.command(), "own", socket) as asked:
        assert "'id:still.service'" in asked.about(pid)
        os.kill(booted.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert "Kind.TIMEOUT" in asked.about(pid, seconds=1)
            assert time.monotonic() - began < 5
            # Longer than an answer is waited for on one connection.
            assert "Kind.TIMEOUT" in asked.about(pid, seconds=6)
        finally:
            os.kill(booted.pid, signal.SIGCONT)
        assert "'id:still.service'" in asked.about(pid)


def test_a_neighbour_on_the_bus_cannot_disturb(booted: Systemd) -> None:
    """Any user may send us signals, as large as they like: they are skipped unread."""
    booted.start("calm", *SLEEP)
    pid = booted.main_pid("calm.service")
    with attestor(booted.command(), "own", SYSTEM_BUS) as asked:
        assert "'id:calm.service'" in asked.about(pid)
        names = booted.run("busctl", "list", "--unique", "--no-legend").splitlines()
        [ours] = [line.split()[0] for line in names if line.split()[2].startswith("python")]
        emitting = ("busctl", "emit", f"--destination={ours}", "/a", "org.example.A", "B", "s")
        for _ in range(5):
            booted.run(*emitting, "x" * 100_000, uid=ALICE)
            assert "'id:calm.service'" in asked.about(pid)
        still = booted.run("busctl", "list", "--unique", "--no-legend").splitlines()
        assert ours in [line.split()[0] for line in still]


def test_the_manager_of_another_namespace_is_not_asked(booted: Systemd) -> None:
    """From outside, where its PIDs mean other processes, its answers are not believed."""
    booted.start("other", *SLEEP)
    pid = booted.main_pid("other.service")
    sockets = [str(booted.inside(path)) for path in (PRIVATE, SYSTEM_BUS)]
    with attestor([], "own", *sockets) as asked:
        # The machine's own first process is somebody else there.
        found = asked.about(1)
        assert "is not the service manager of this PID namespace" in found
        assert "Failed" in asked.about(pid)


def test_a_container_is_not_its_engine(booted: Systemd) -> None:
    """A process in a PID namespace of its own is not taken for the unit, unless the operator says so."""
    booted.start("engine", "/usr/bin/unshare", "--pid", "--fork", *SLEEP)
    engine = booted.main_pid("engine.service")
    contained = int(booted.run("cat", f"/proc/{engine}/task/{engine}/children"))
    with attestor(booted.command(), "own", PRIVATE) as asked:
        assert "'id:engine.service'" in asked.about(engine)
        found = asked.about(contained)
        assert "NotApplicable" in found
        assert "other_pid_namespaces" in found
    with attestor(booted.command(), "nested", PRIVATE) as asked:
        assert "'id:engine.service'" in asked.about(contained)


def test_a_user_cannot_leave_their_units(booted: Systemd) -> None:
    """Groups that a user makes below their manager stay below it, whatever they are called."""
    with manager_of_alice(booted):
        service = f"ExecStart={' '.join(SLEEP)}\nDelegate=yes"
        start_as_alice(booted, "maker.service", service)
        pid = pid_of_alice(booted, "maker.service")
        group = Path(f"/sys/fs/cgroup/user.slice/user-{ALICE}.slice/user@{ALICE}.service")
        made = group / "app.slice/maker.service/system.slice/web.service"
        aside = group / "web.service"
        with attestor(booted.command(), "own", PRIVATE) as asked:
            for folder, name in ((made, "maker.service"), (aside, "web.service")):
                moving = f"mkdir -p {folder} && echo {pid} >{folder}/cgroup.procs"
                booted.run("sh", "-c", moving, uid=ALICE)
                found = asked.about(pid)
                assert f"'id:user@{ALICE}.service'" in found
                assert f"'user_unit:{ALICE}:{name}'" in found
                assert "'id:web.service'" not in found
        outside = "echo 0 >/sys/fs/cgroup/system.slice/dbus.service/cgroup.procs"
        assert booted.attempt("sh", "-c", outside, uid=ALICE).returncode != 0


def test_only_a_delegated_unit_takes_its_users_processes(booted: Systemd) -> None:
    """A user may move processes into a system unit of theirs that delegates, and into no other."""
    booted.start("plain", *SLEEP, User="alice")
    booted.start("given", *SLEEP, User="alice", Delegate="yes")
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
    with manager_of_alice(booted), attestor(booted.command(), "own", PRIVATE) as asked:
        start_as_alice(booted, "own.service", f"ExecStart={' '.join(SLEEP)}")
        pid = pid_of_alice(booted, "own.service")
        for unit, taken in (("plain.service", False), ("given.service", True)):
            move = ("org.freedesktop.systemd1.Manager", "AttachProcessesToUnit", "ssau")
            line = ("busctl", "call", *manager, *move, unit, "", "1", str(pid))
            assert (booted.attempt(*line, uid=ALICE).returncode == 0) == taken
            assert (f"'id:{unit}'" in asked.about(pid)) == taken


def test_a_process_of_no_unit_is_none(booted: Systemd) -> None:
    """What runs beside all units, such as what was moved to the root, has no selectors."""
    with attestor(booted.command(), "own", PRIVATE) as asked:
        line = booted.command("sh", "-c", "echo $$ >/mnt/loose; exec sleep 1000")
        with running(line):
            written = booted.shared / "loose"
            eventually(lambda: written.exists() and written.read_text().strip())
            pid = int(written.read_text())
            found = asked.about(pid)
            assert "NotApplicable" in found
            booted.run("kill", str(pid))
