"""The hardened units of `examples/systemd/`, run by a real systemd."""

import contextlib
import json
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import Requirements
from tests.doubles.programs import ROOT, eventually
from tests.doubles.systemd import Systemd, systemd

pytestmark = pytest.mark.root

UNITS: Final = ROOT / "examples" / "systemd"
SOCKET: Final = "--socket=unix:///run/finial/workload/workload.sock"
ADMIN: Final = "--server=unix:///var/lib/finial/ca/private/admin.sock"
# The units see no home, where this Python may be.
PYTHON: Final = "/opt/finial/python"
PACKAGES: Final = "/opt/finial/packages"
SOURCE: Final = "/opt/finial/source"
CA: Final = """
[server]
trust_domain = "example.org"
data_dir = "/var/lib/finial/ca"
bind_address = "127.0.0.1"
advertised_addresses = ["127.0.0.1:8081"]
"""
AGENT: Final = """
[agent]
join_file = "/etc/finial/join"
data_dir = "/var/lib/finial/agent"
socket_path = "/run/finial/workload/workload.sock"
admin_socket_path = "/run/finial/agent.sock"
[plugins.key_manager.disk]
[plugins.workload_attestor.unix]
discover_cgroup = true
[plugins.workload_attestor.systemd]
"""


@pytest.fixture(scope="module")
def booted() -> Iterator[Systemd]:
    packages = sysconfig.get_path("purelib")
    more = {sys.base_prefix: PYTHON, packages: PACKAGES, str(ROOT): SOURCE}
    with systemd(Requirements(), more) as booted:
        command = booted.inside("/usr/bin/finial")
        program = f"{PYTHON}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        command.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={SOURCE}:{PACKAGES} PYTHONDONTWRITEBYTECODE=1\n"
            f"export LD_LIBRARY_PATH={PYTHON}/lib\n"
            f'exec {program} -P -m cli "$@"\n'
        )
        command.chmod(0o755)
        yield booted


def install(booted: Systemd, user: str, uid: int, configuration: str) -> None:
    """Do what the comments of the units say."""
    for name, line in (
        ("passwd", f"{user}:x:{uid}:{uid}::/:/bin/false"),
        ("group", f"{user}:x:{uid}:"),
    ):
        with booted.inside(f"/etc/{name}").open("a") as file:
            file.write(f"{line}\n")
    give(booted, f"/etc/finial/{user.removeprefix('finial-')}.toml", configuration, uid)
    shutil.copy(UNITS / f"{user}.service", booted.inside("/etc/systemd/system"))
    booted.run("systemctl", "daemon-reload")


def give(booted: Systemd, path: str, text: str, gid: int) -> None:
    made = booted.inside(path)
    made.parent.mkdir(exist_ok=True)
    made.write_text(text)
    shutil.chown(made, 0, gid)
    made.chmod(0o640)


def started(booted: Systemd, unit: str) -> None:
    """Start a unit, and show its own words if it does not."""
    words = f"/mnt/{unit}.log"
    drop_in = booted.inside(f"/etc/systemd/system/{unit}.service.d/words.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nStandardOutput=file:{words}\nStandardError=file:{words}\n")
    booted.run("systemctl", "daemon-reload")
    done = booted.attempt("systemctl", "start", f"{unit}.service")
    assert done.returncode == 0, (booted.shared / f"{unit}.log").read_text() + done.stderr


def finial(booted: Systemd, *line: str) -> Any:
    said = booted.run("/usr/bin/finial", *line, "--output=json")
    return json.loads(said) if said.strip() else None


def fetched(booted: Systemd, name: str, user: str) -> list[str]:
    """What a service of another user gets from the agent."""
    answer = booted.shared / f"{name}.json"
    answer.unlink(missing_ok=True)
    settings = {"Type": "oneshot", "User": user, "StandardOutput": f"file:/mnt/{answer.name}"}
    # An agent that is started anew may take longer than the command waits by itself.
    line = ("fetch", "x509", "--timeout=30")
    with contextlib.suppress(AssertionError):
        booted.start(name, "/usr/bin/finial", *line, SOCKET, "--output=json", **settings)
    text = answer.read_text() if answer.exists() else ""
    return [each["spiffe_id"] for each in json.loads(text)["svids"]] if text else []


@pytest.fixture(scope="module")
def mine(booted: Systemd) -> list[str]:
    """Both units run and know a service of alice's; what she gets from them."""
    install(booted, "finial-ca", 901, CA)
    install(booted, "finial-agent", 902, AGENT)
    started(booted, "finial-ca")
    reached = ("entry", "list", ADMIN, "--output=json")
    eventually(lambda: booted.attempt("/usr/bin/finial", *reached).returncode == 0)
    token = finial(booted, "token", "create", ADMIN)
    give(booted, "/etc/finial/join", token["join"], 902)
    started(booted, "finial-agent")
    [agent] = eventually(lambda: finial(booted, "agent", "list", ADMIN)["items"])
    for path, selectors in {
        "/web": ["systemd:id:web.service", "unix:user:alice"],
        "/group": ["unix:cgroup:/system.slice/web.service", "unix:sha256:" + digest(booted)],
    }.items():
        finial(
            booted, "entry", "create", ADMIN, f"--spiffe-id=spiffe://example.org{path}",
            f"--parent={agent['id']}", *(f"--selector={each}" for each in selectors),
        )  # fmt: skip
    return ["spiffe://example.org/group", "spiffe://example.org/web"]


def test_the_hardened_units_run(booted: Systemd, mine: list[str]) -> None:
    """Server and agent do their work in their sandboxes, and the agent knows services by unit."""
    eventually(lambda: sorted(fetched(booted, "web", "alice")) == mine)
    assert fetched(booted, "web", "finial-ca") == ["spiffe://example.org/group"]
    assert fetched(booted, "other", "alice") == []
    booted.run("systemctl", "restart", "finial-agent.service", "finial-ca.service")
    eventually(lambda: sorted(fetched(booted, "web", "alice")) == mine)
    for unit in ("finial-ca", "finial-agent"):
        assert booted.show(f"{unit}.service", "ActiveState") == "active"
        assert booted.show(f"{unit}.service", "NRestarts") == "0"


def test_systemd_keeps_the_socket(booted: Systemd, mine: list[str]) -> None:
    """With the socket unit nobody is refused while the agent is away; the folder outlives it."""
    eventually(lambda: sorted(fetched(booted, "web", "alice")) == mine)
    booted.run("systemctl", "stop", "finial-agent.service")
    shutil.copy(UNITS / "finial-agent.socket", booted.inside("/etc/systemd/system"))
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "start", "finial-agent.socket")
    # The first who connects has the agent started.
    assert sorted(fetched(booted, "web", "alice")) == mine
    pid = booted.main_pid("finial-agent.service")
    booted.run("systemctl", "restart", "finial-agent.service")
    assert sorted(fetched(booted, "web", "alice")) == mine
    booted.run("systemctl", "kill", "--signal=KILL", "finial-agent.service")
    assert sorted(fetched(booted, "web", "alice")) == mine
    assert booted.main_pid("finial-agent.service") != pid
    assert booted.show("finial-agent.socket", "ActiveState") == "active"
    booted.run("systemctl", "stop", "finial-agent.socket", "finial-agent.service")
    booted.run("systemctl", "start", "finial-agent.service")
    eventually(lambda: sorted(fetched(booted, "web", "alice")) == mine)


def digest(booted: Systemd) -> str:
    line = f"readlink -f {shlex.quote(PYTHON)}/bin/python3 | xargs sha256sum"
    return booted.run("sh", "-c", line).split()[0]


def test_the_units_are_sound(booted: Systemd) -> None:
    """systemd understands every line of the units."""
    for unit in sorted((*UNITS.glob("*.service"), *UNITS.glob("*.socket"))):
        done = booted.attempt(
            "systemd-analyze", "verify", "--man=no", f"{SOURCE}/{unit.relative_to(ROOT)}"
        )
        said = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
        assert said == [], Path(unit).name
