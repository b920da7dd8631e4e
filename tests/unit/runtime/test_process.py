"""What a process of ours sets for itself, and what it can know of plugins and figures."""

import resource
import subprocess
import sys

import pytest

from finial.keys import memory
from finial.runtime import plugins
from finial.runtime.process import RESERVED, room_for_connections
from finial.runtime.reporting.metrics import Metrics

HARDENED = """
import os, resource
from finial.runtime.process import harden_process, is_dumpable
assert is_dumpable()
harden_process()
assert not is_dumpable()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
assert soft == hard
assert os.umask(0) == 0o027
with open("/proc/self/status", "rb") as file:
    assert file.read()
with os.scandir("/proc/self/fd") as entries:
    assert list(entries)
print("hardened", flush=True)
input()
"""


def test_a_hardened_process_cannot_be_dumped() -> None:
    """A hardened process leaves no core, opens all descriptors it may, and still reads its own."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(
        [sys.executable, "-c", HARDENED], input="\n", capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("hardened\n", "")
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == soft


AS_ANOTHER_UID = """
import ctypes, os, sys
from finial.runtime.process import harden_process
def become_other(uid=54_321):
    os.setgroups([]), os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # changing the uid took that away
"""
TARGET = """
become_other()
if sys.argv[1] == "hardened":
    harden_process()
print("ready", flush=True)
input()
"""
READER = """
become_other()
for name in ("environ", "mem", "exe"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").close()
    except PermissionError:
        print("refused")
    else:
        print("open")
"""


@pytest.mark.root
@pytest.mark.parametrize(("how", "answer"), [("plain", "open"), ("hardened", "refused")])
def test_a_hardened_process_cannot_be_read_by_its_uid(how: str, answer: str) -> None:
    """Another process of the same uid reads a plain process's memory, not a hardened one's."""
    with subprocess.Popen(
        [sys.executable, "-c", AS_ANOTHER_UID + TARGET, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as target:
        assert target.stdout is not None
        assert target.stdout.readline() == "ready\n"
        reader = [sys.executable, "-c", AS_ANOTHER_UID + READER, str(target.pid)]
        found = subprocess.run(reader, capture_output=True, text=True, check=True).stdout
        target.communicate("\n")
    assert found.split() == [answer] * 3


def test_a_plugin_is_found_by_its_name() -> None:
    """A plugin is the module of its entry point."""
    assert plugins.load("finial.key_manager", "memory") is memory
    assert "disk" in plugins.names("finial.key_manager")


def test_an_unknown_plugin_is_refused_with_those_that_exist() -> None:
    """A wrong name is answered with the nearest and all others; an empty group with that."""
    with pytest.raises(plugins.UnknownPlugin, match=r"did you mean 'disk' \(there are: disk"):
        plugins.load("finial.key_manager", "disc")
    with pytest.raises(plugins.UnknownPlugin, match="none is installed"):
        plugins.load("finial.nothing", "x")


def test_figures_are_told_under_our_own_names() -> None:
    """Metrics bear the program's name, and another registry in the process is left alone."""
    metrics = Metrics("agent")
    metrics.counter("svids", "SVIDs received", ["kind"]).labels("x509").inc(3)
    metrics.gauge("streams", "Open streams").set(2)
    metrics.reading("entries", "Entries known", lambda: 7.0)
    metrics.seconds("sync", "A sync").observe(0.2)
    text = metrics.exposition().decode()
    assert 'finial_agent_svids_total{kind="x509"} 3.0' in text
    assert "finial_agent_streams 2.0" in text
    assert "finial_agent_entries 7.0" in text
    assert 'finial_agent_sync_seconds_bucket{le="0.25"} 1.0' in text
    assert "process_open_fds" in text
    assert Metrics("agent").exposition().decode().count("finial_agent") == 0


def test_callers_could_take_every_descriptor() -> None:
    """Connections leave room for our own files, whatever the limit is and each costs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room_for_connections(1) == max(soft - RESERVED, 1)
    assert room_for_connections(soft) == 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
