"""Which sockets an agent takes from the service manager."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from agent.api.ext_authz.deciding import Deciding
from agent.api.ext_authz.http_socket import HttpSocket
from agent.api.listeners import identify
from finial.runtime.files import UnsafePath, guarded_directory
from finial.wire.unix_socket import bind_unix
from tests.doubles.programs import short_folder

STARTED = """
import os, socket, sys
from pathlib import Path
from agent import settings
from agent.assemble.activation import take_activated
from finial.spiffe.refusal import Refusal
folder, names, *paths = sys.argv[1:]
made = []
for path in paths:
    made.append(socket.socket(socket.AF_UNIX))
    made[-1].bind(str(Path(folder) / path))
    made[-1].listen()
for place, each in enumerate(made):
    os.dup2(each.fileno(), 3 + place)
agent = settings.read({"agent": {
    "trust_domain": "example.org", "server_address": "localhost", "data_dir": folder,
    "socket_path": folder + "/w", "admin_socket_path": folder + "-o/o",
    "insecure_bootstrap": True}, "plugins": {}}).agent
os.environ |= {
    "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(made)), "LISTEN_FDNAMES": names
}
try:
    print({name: each.fileno() for name, each in take_activated(agent, os.environ).items()})
except Refusal as refusal:
    print(refusal)
print([each for each in os.environ if each.startswith("LISTEN_")])
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path, because another way to it is twice as long."""
    with short_folder() as folder:
        (folder / "d").mkdir()
        yield folder / "d"


def taken(folder: Path, names: str, *paths: str) -> str:
    """What a process takes, or why it refuses; started with sockets from descriptor 3 on."""
    folder.with_name(folder.name + "-o").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", STARTED, str(folder), names, *paths],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said, left = done.stdout.splitlines() or (done.stderr, "")
    assert left == "[]", done.stderr
    return said


def test_sockets_are_taken_by_name(place: Path) -> None:
    """The workloads' and the operators' socket are told apart by their names."""
    assert taken(place, "workload", "w") == "{'workload': 3}"


def test_both_sockets_are_taken(place: Path) -> None:
    """Sockets may be passed in any order."""
    other = str(place.with_name(place.name + "-o") / "o")
    assert taken(place, "operator:workload", other, "w") == "{'operator': 3, 'workload': 4}"


def test_another_way_to_the_file_is_refused(place: Path) -> None:
    """The path has to be the very one of the settings."""
    assert "the settings say" in taken(place, "workload", f"../{place.name}/w")


@pytest.mark.parametrize(
    ("names", "paths", "fault"),
    [
        ("finial-agent.socket", ["w"], "a socket is named 'finial-agent.socket', and these are"),
        ("ext_authz", ["w"], "and these are known: workload, operator"),
        ("workload:workload", ["w", "v"], "two sockets are named 'workload'"),
        ("workload", ["v"], "/w"),
        ("workload:operator", ["w"], "LISTEN_FDS is 1, and LISTEN_FDNAMES has 2 names"),
    ],
)
def test_another_socket_stops_the_start(
    place: Path, names: str, paths: list[str], fault: str
) -> None:
    """A socket that the settings do not know is a reason not to start, said with what to do."""
    said = taken(place, names, *paths)
    assert fault in said
    assert "socket" in said


def test_the_socket_of_the_http_form_keeps_its_path(tmp_path: Path) -> None:
    """The socket for proxies may be passed as well; it is served, and outlives the agent."""
    path = tmp_path / "s"
    with bind_unix(path, 0o600).socket as kept, socket.socket(socket.AF_UNIX) as early:
        kept.listen()
        early.settimeout(5)
        early.connect(str(path))

        async def act() -> None:
            http = HttpSocket(path, cast("Deciding", None), identify, per_uid=0)
            await http.listen(kept.dup())
            # One connection is one too many here, so that it is closed as soon as it is accepted.
            assert await asyncio.to_thread(early.recv, 1) == b""
            await http.close()

        asyncio.run(act())
        assert path.is_socket()
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(str(path))


def test_the_folder_of_a_passed_socket_is_judged(tmp_path: Path) -> None:
    """A folder that somebody else has made may be root's, and nobody else may write to it."""
    assert guarded_directory(tmp_path) == tmp_path
    assert guarded_directory(Path("/usr")) == Path("/usr")
    tmp_path.chmod(0o777)
    with pytest.raises(UnsafePath, match="can be written by others"):
        guarded_directory(tmp_path)
