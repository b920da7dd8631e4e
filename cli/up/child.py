"""One of the two processes of `finial up`: it loads its program, waits for the word, and runs.

A line on standard input says go; one line of JSON on standard output says ready.
"""

import ctypes
import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from cli import running
from cli.outcome import run
from finial.spiffe.refusal import Refusal

_PR_SET_PDEATHSIG: Final = 1


def main() -> int:
    """Run the program and return its exit status."""
    program, config, parent = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    _follow_into_death(parent)
    if program == "server":
        start = _naming_the_port(running.server(config, _tell))
    else:
        start = running.agent(running.AgentWishes(config), _tell)
    if not sys.stdin.readline():
        return 0
    return run(click.Command("child", callback=start), [])


def _tell(program: Any) -> None:
    said = {
        "pid": os.getpid(),
        "grpc_address": getattr(program, "grpc_address", None),
        "rest_address": getattr(program, "rest_address", None),
        "agent_id": str(getattr(program, "agent_id", "")),
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _naming_the_port(start: Callable[[], None]) -> Callable[[], None]:
    def named() -> None:
        try:
            start()
        except Refusal as refusal:
            if getattr(refusal.__cause__, "errno", 0) not in (errno.EADDRINUSE, errno.EACCES):
                raise
            remedy = "another --port (0 takes a free one), or stop what listens there"
            raise Refusal(refusal.kind, refusal.detail, remedy=remedy) from refusal

    return named


def _follow_into_death(parent: int) -> None:
    # Whoever kills `finial up` with -9 means these two as well.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
