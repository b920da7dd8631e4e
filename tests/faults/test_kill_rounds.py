"""Server and agent are killed, over and over, while everything they do goes on."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from tests.doubles.programs import Up, eventually, finial, up

ROUNDS = 50
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Administrator:
    """Registers entries all the time and remembers which were acknowledged."""

    def __init__(self, world: Up) -> None:
        self.world = world
        self.acknowledged: dict[str, str] = {}
        self.attempted = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    @contextmanager
    def working(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            self.attempted += 1
            path = f"/killed/{self.attempted}"
            try:
                answer = rest(self.world, "POST", "/v1/entries", json=self._entry(path))
            except httpx.TransportError:
                self._stop.wait(0.05)
                continue
            if answer.status_code == 201:
                self.acknowledged[answer.json()["id"]] = path
            self._stop.wait(0.01)

    def _entry(self, path: str) -> dict[str, Any]:
        return {
            "spiffe_id": f"spiffe://example.org{path}",
            "parent_id": self.world["agent_id"],
            "selectors": [f"unix:uid:{200_000 + self.attempted}"],
        }


def rest(world: Up, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=world["admin_socket"])
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=10) as client:
        return client.request(method, path, **options)


def everything(world: Up, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        page = rest(world, "GET", path, params={"page_size": 500, "page_token": token}).json()
        items += page["items"]
        token = page["next_page_token"]
        if not token:
            return items


def child(world: Up, name: str) -> psutil.Process | None:
    """The server or the agent as it runs now."""
    for process in psutil.Process(world.process.pid).children():
        if name in process.cmdline():
            return process
    return None


def fetches(world: Up) -> bool:
    socket = f"unix://{world['workload_socket']}"
    return finial("fetch", "x509", "--socket", socket, timeout=30).returncode == 0


def test_nothing_acknowledged_is_lost_and_nothing_has_two_identities() -> None:
    """After fifty kills each acknowledged entry is there, once, and each serial has one owner."""
    with up("--svid-ttl=8s", "--ca-ttl=40s", "--no-rate-limits") as world:
        world.register("/survivor", f"unix:uid:{os.getuid()}")
        administrator = Administrator(world)
        with administrator.working():
            for round_ in range(ROUNDS):
                name = ("ca", "agent")[round_ % 2]
                victim = eventually(lambda name=name: child(world, name), what=f"{name} runs")
                threading.Event().wait(0.05 * (round_ % 7))
                victim.send_signal(signal.SIGKILL)
                victim.wait(10)
        eventually(lambda: fetches(world), 60, "the workload has its identity again")
        check_entries(world, administrator)
        check_identities(world)


def check_entries(world: Up, administrator: Administrator) -> None:
    found = {entry["id"]: entry["spiffe_id"] for entry in everything(world, "/v1/entries")}
    lost = {
        id_: path
        for id_, path in administrator.acknowledged.items()
        if found.get(id_) != f"spiffe://example.org{path}"
    }
    assert not lost, f"{len(lost)} of {len(administrator.acknowledged)} entries are lost: {lost}"
    assert len(administrator.acknowledged) > ROUNDS
    twice = [id_ for id_, count in Counter(found.values()).items() if count > 1]
    assert not twice


def check_identities(world: Up) -> None:
    assert [agent["id"] for agent in everything(world, "/v1/agents")] == [world["agent_id"]]
    owners: dict[str, set[str]] = {}
    for row in everything(world, "/v1/issued"):
        owners.setdefault(row["serial"], set()).add(row["spiffe_id"])
    assert owners
    assert all(len(ids) == 1 for ids in owners.values())
