"""A workload that asks again and again, itself and by a process that is new each time."""

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from tests.doubles.workload import fetch

SOCKET = Path(urlsplit(os.environ["SPIFFE_ENDPOINT_SOCKET"]).path)


def outcome() -> str:
    """The path of the identity, or the status of the refusal."""
    try:
        return urlsplit(fetch(SOCKET, 15.0)[0][0]).path
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code.name


def in_a_new_process() -> str:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "tests.e2e.containers.insistent"]
    child = os.posix_spawn(
        sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)]
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read().strip()
    os.waitpid(child, 0)
    return said


def main() -> None:
    if len(sys.argv) == 1:
        print(outcome(), flush=True)
        return
    with open(sys.argv[1], "a") as lines:
        while True:
            old = outcome()
            begin = time.monotonic()
            new = in_a_new_process()
            lines.write(f"old {old} new {new} in {time.monotonic() - begin:.1f}\n")
            lines.flush()
            time.sleep(0.2)


if __name__ == "__main__":
    main()
