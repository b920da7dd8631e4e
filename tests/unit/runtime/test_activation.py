"""Taking over what the service manager has opened; in a process of its own for real descriptors."""

import subprocess
import sys
import tempfile

import pytest

from finial.runtime.activation import NotActivated, take_sockets

OURS = 4711
TAKEN = """
import os, socket
from finial.runtime.activation import take_sockets
left, right = socket.socketpair()
os.dup2(left.fileno(), 3)
os.dup2(right.fileno(), 4)
environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "X": "1"}
taken = take_sockets(environment, os.getpid())
print([(each.name, each.socket.fileno(), os.get_inheritable(each.socket.fileno()))
       for each in taken], environment)
os.close(3)
os.open("/dev/null", os.O_RDONLY)
try:
    take_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}, os.getpid())
except Exception as error:
    print(error)
"""


def test_sockets_are_taken_from_the_third_descriptor_on() -> None:
    """Each has its name, no child inherits them, the variables are gone; a file is no socket."""
    done = subprocess.run(
        [sys.executable, "-c", TAKEN], capture_output=True, text=True, check=True,
        cwd=tempfile.gettempdir(), env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first == "[('a', 3, False), ('b', 4, False)] {'X': '1'}"
    assert second.startswith("descriptor 3, passed as 'unknown', is no socket")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": str(OURS)},
        {"LISTEN_PID": "1", "LISTEN_FDS": "many", "LISTEN_FDNAMES": "a"},
        {"LISTEN_PID": str(OURS), "LISTEN_FDS": "0"},
    ],
)
def test_what_is_meant_for_another_process_is_left(given: dict[str, str]) -> None:
    """Without variables, or with those of a parent, nothing is taken and nothing stays."""
    assert take_sockets(given, OURS) == ()
    assert given == {}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"LISTEN_PID": "+4711"}, "LISTEN_PID is no number: '+4711'"),
        ({"LISTEN_FDS": "-1"}, "LISTEN_FDS is no number: '-1'"),
        ({"LISTEN_FDS": "\u0661"}, "LISTEN_FDS is no number: '\u0661'"),
        ({"LISTEN_FDS": "9" * 4000}, "LISTEN_FDS is no number: '" + "9" * 64 + "'"),
        ({"LISTEN_FDS": "17"}, "LISTEN_FDS is 17, and at most 16 sockets are taken"),
        ({"LISTEN_FDNAMES": "a:b"}, "LISTEN_FDS is 1, and LISTEN_FDNAMES has 2 names"),
    ],
)
def test_nonsense_is_refused(changed: dict[str, str], fault: str) -> None:
    """Variables that cannot be understood are an error, and no reason to open other sockets."""
    given = {"LISTEN_PID": str(OURS), "LISTEN_FDS": "1", **changed}
    with pytest.raises(NotActivated) as raised:
        take_sockets(given, OURS)
    assert str(raised.value) == fault
    assert given == {}
