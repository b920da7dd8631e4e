"""Others of the same user can neither read, dump nor trace the programs."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.doubles.everybody import copied_for_everybody
from tests.doubles.programs import running, short_folder

STRANGER = 61_234
ATTACH = """
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def refused(act):
    try:
        act()
    except PermissionError:
        return True
    return False
def trace():
    if libc.ptrace(16, pid, 0, 0) == -1:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")
names = {
    "environ": lambda: open(f"/proc/{pid}/environ").read(),
    "mem": lambda: open(f"/proc/{pid}/mem", "rb"),
    "maps": lambda: open(f"/proc/{pid}/maps").read(),
    "fd": lambda: os.listdir(f"/proc/{pid}/fd"),
    "ptrace": trace,
}
print(os.getuid(), *(name for name, act in names.items() if not refused(act)))
"""


def reached_by(pid: int, python: str, as_user: dict[str, Any]) -> list[str]:
    """As which uid a process of that user runs, and what it gets of the other process."""
    command = [python, "-c", ATTACH, str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, **as_user)
    return done.stdout.split()


def test_processes_of_the_same_user_reach_nothing() -> None:
    """Environment, memory and descriptors of both programs are closed to others of their user."""
    uid = os.getuid() or STRANGER
    as_user: dict[str, Any] = {}
    if uid == STRANGER:
        as_user = {"user": uid, "group": uid, "extra_groups": []}
    with short_folder() as folder:
        python, environment = copied_for_everybody(folder)
        home = folder / "d"
        home.mkdir()
        os.chown(home, uid, -1)
        command = [python, "-m", "cli", "up", "--dir", str(home), "--port=0", "--output=json"]
        with running(command, environment, cwd=home, **as_user) as process:
            assert process.stdout is not None
            made = json.loads(process.stdout.readline())
            for pid in (made["server_pid"], made["agent_pid"]):
                assert f"Uid:\t{uid}\t" in Path(f"/proc/{pid}/status").read_text()
                assert reached_by(pid, python, as_user) == [str(uid)]
                limits = Path(f"/proc/{pid}/limits").read_text()
                assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
