"""`make demo`: a CA server, an agent, and two services that keep talking over rotated mTLS.

Runs until Ctrl-C, or for DURATION seconds. Exit status 0 only if both services rotated at least
three times and no call failed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from scoreboard import Row, Scoreboard
from staging import Place, places

TRUST_DOMAIN = "demo.example"
CA_TTL, SVID_TTL = "40s", "8s"
READY = 30.0

IDS = (f"spiffe://{TRUST_DOMAIN}/bakery", f"spiffe://{TRUST_DOMAIN}/cafe")


def main() -> int:
    """Run the demo and return its exit status."""
    duration = _duration(os.environ.get("DURATION", ""))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    board = Scoreboard(("bakery", "cafe"))
    try:
        with _folder("finial-demo-") as folder, _folder("finial-stage-") as stage:
            _run(folder, stage, board, duration)
    except KeyboardInterrupt:
        print()
    except (OSError, RuntimeError, subprocess.SubprocessError) as fault:
        print(f"the demo cannot run: {fault}", file=sys.stderr)
    if not sys.stdout.isatty():
        print(board.verdict(), flush=True)
    elif board.is_good:
        print("Both services rotated at least three times, and no call failed.")
    elif all(row.calls and not row.failed for row in board.rows):
        print("No call failed; that both rotate three times takes half a minute.")
    else:
        print("No call was made, or some failed: " + board.verdict())
    return 0 if board.is_good else 1


def _duration(text: str) -> float:
    try:
        return float(text or "inf")
    except ValueError:
        raise SystemExit(f"DURATION is a number of seconds, such as 40, not {text!r}") from None


def _run(folder: Path, stage: Path, board: Scoreboard, duration: float) -> None:
    print(f"starting a CA server and an agent in {folder} (finial up) ...", flush=True)
    with _up(folder) as starting:
        bakery, cafe = places(stage)
        made = _ready(starting)
        _explain(made, bakery, cafe)
        _register(made, (bakery, cafe))
        socket = f"unix://{made['workload_socket']}"
        with contextlib.ExitStack() as running:
            answering = running.enter_context(_service(bakery, socket, "answer", IDS[1]))
            port = json.loads(answering.stdout.readline() or "{}").get("port")
            if port is None:
                raise RuntimeError("the first service got no identity")
            asking = running.enter_context(_service(cafe, socket, "ask", IDS[0], str(port)))
            for process, row in zip((answering, asking), board.rows, strict=True):
                threading.Thread(target=_follow, args=(process, row), daemon=True).start()
            running.enter_context(board)
            end = time.monotonic() + duration
            while time.monotonic() < end:
                for process in (answering, asking):
                    if process.poll() is not None:
                        raise RuntimeError(f"a service ended with status {process.returncode}")
                board.show()
                time.sleep(0.1)


@contextlib.contextmanager
def _up(folder: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-P", "-m", "cli", "up", "--dir", folder]
    command += [
        "--trust-domain",
        TRUST_DOMAIN,
        "--port",
        "0",
        "--ca-ttl",
        CA_TTL,
        "--svid-ttl",
        SVID_TTL,
        "--output",
        "json",
    ]
    command += ["--log-level", "error"]
    # A session of its own: Ctrl-C is for us, and we stop it when the services have gone.
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(READY)


def _ready(starting: subprocess.Popen) -> dict:
    line = starting.stdout.readline()
    if not line:
        raise RuntimeError("finial up did not start")
    return json.loads(line)


@contextlib.contextmanager
def _service(place: Place, socket: str, *arguments: str) -> Iterator[subprocess.Popen]:
    environment = {"SPIFFE_ENDPOINT_SOCKET": socket, "PATH": os.defpath, **place.environment}
    with subprocess.Popen(
        [place.python, place.program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
        user=place.user,
        group=place.user,
        extra_groups=[] if place.user is not None else None,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()


def _register(made: dict, both: tuple[Place, Place]) -> None:
    """Register both services through the REST API."""
    transport = httpx.HTTPTransport(uds=made["admin_socket"])
    with httpx.Client(transport=transport, base_url="http://finial", timeout=READY) as server:
        for spiffe_id, place in zip(IDS, both, strict=True):
            entry = {
                "spiffe_id": spiffe_id,
                "parent_id": made["agent_id"],
                "selectors": place.selectors,
            }
            answer = server.post("/v1/entries", json=entry)
            if answer.status_code != 201:
                raise RuntimeError(f"the entry was refused: {answer.text}")


def _explain(made: dict, bakery: Place, cafe: Place) -> None:
    print(f"""
  server  pid {made["server_pid"]}, authorities live {CA_TTL}, SVIDs {SVID_TTL}
  agent   pid {made["agent_pid"]}, {made["agent_id"]}

  bakery  {IDS[0]}  is whoever is {" and ".join(bakery.selectors)}
  cafe    {IDS[1]}  is whoever is {" and ".join(cafe.selectors)}

The cafe calls the bakery four times a second, over a new mTLS connection each time; each checks
the other's SPIFFE ID. Both get their certificates from the agent, which renews them at half-life,
while the CA behind them rotates, too.""")
    if bakery.user is None:
        print("""
Both run as your user, told apart by the path of their interpreter. Processes of one user can
look into each other's memory, so that is no security boundary; as root the demo has two users.""")
    print(flush=True)


def _follow(process: subprocess.Popen, row: Row) -> None:
    for line in process.stdout:
        with contextlib.suppress(ValueError):
            row.said = json.loads(line)


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
