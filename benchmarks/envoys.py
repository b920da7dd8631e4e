"""From a change until a real Envoy has it, and until one refuses what is blocked.

    python -m benchmarks.envoys [ROUNDS]

Two Envoys as in the tests, with a new handshake for each request. Timed from the moment at which an
administrator's request is answered (a new revision of an entry, which has a new SVID signed) or
begun (a block): until the new certificate is seen by the other side, or the blocked one refused.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.doubles.envoy import envoys
from tests.doubles.programs import Up, eventually, finial, short_folder, up
from tests.e2e.envoy.pair import FORMS, ORDERS, Caller, calling, orders, payment

ROUNDS = 20
PATIENCE = 20.0


def until(service: Caller, seen: Callable[[httpx.Response], bool]) -> None:
    """Call without a pause until an answer is what is waited for."""
    deadline = time.monotonic() + PATIENCE
    while not seen(service.call()):
        assert time.monotonic() < deadline, "nothing came of it"


class Administrator:
    """Changes things by REST on the server's socket, which costs less than a command."""

    def __init__(self, world: Up) -> None:
        transport = httpx.HTTPTransport(uds=world["admin_socket"])
        self._client = httpx.Client(transport=transport, base_url="http://localhost", timeout=20)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._client.request(method, path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def rotations(admin: Administrator, service: Caller, entry_id: str, rounds: int) -> list[float]:
    """Milliseconds from a new revision of orders' entry until payment sees the new certificate."""
    found = []
    for number in range(rounds):
        before = service.call().headers["x-serial"]
        admin.ask("PATCH", f"/v1/entries/{entry_id}", json={"x509_svid_ttl": 1800 + number})
        begun = time.monotonic()
        until(service, lambda answer, old=before: answer.headers.get("x-serial", old) != old)
        found.append(1000 * (time.monotonic() - begun))
    return found


def blocks(admin: Administrator, service: Caller, rounds: int) -> list[float]:
    """Milliseconds from `block` until payment's Envoy refuses the certificate of orders."""
    found = []
    wish = {"kind": "spiffe_id", "subject": ORDERS, "reason": "a measurement"}
    for _ in range(rounds):
        begun = time.monotonic()
        made = admin.ask("POST", "/v1/blocks", json=wish)
        until(service, lambda answer: answer.status_code == 503)
        found.append(1000 * (time.monotonic() - begun))
        admin.ask("DELETE", f"/v1/blocks/{made['block']['id']}")
        until(service, lambda answer: answer.status_code == 200)
    return found


def row(name: str, found: list[float]) -> str:
    ordered = sorted(found)
    middle, last = statistics.median(ordered), ordered[-1]
    return f"| {name} | {middle:.0f} | {ordered[int(len(ordered) * 0.9)]:.0f} | {last:.0f} |"


def main() -> int:
    """Print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print("| milliseconds | half | 9 of 10 | all |\n|---|---|---|---|")
    for form in FORMS:
        with up("--no-rate-limits") as world, short_folder() as folder:
            me = f"unix:uid:{os.geteuid()}"
            entry = world.register("/orders", me)
            world.register("/payment", me)
            socket = world["workload_socket"]
            eventually(
                lambda s=socket: finial("fetch", "x509", "--socket", f"unix://{s}").returncode == 0
            )
            called = payment(folder, socket, form)
            with envoys(called):
                caller = orders(folder, socket, form, called.port("in"))
                with envoys(caller), calling(caller) as service:
                    admin = Administrator(world)
                    took = rotations(admin, service, entry["id"], rounds)
                    print(row(f"a new certificate is used ({form})", took), flush=True)
                    took = blocks(admin, service, rounds)
                    print(row(f"a blocked one is refused ({form})", took), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
