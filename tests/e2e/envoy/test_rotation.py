"""Envoys go on while everything that they trust and show is replaced."""

import os
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from finial.spiffe.certificate import authority_key_id
from tests.doubles.envoy import Envoy, envoys
from tests.doubles.programs import eventually, up
from tests.e2e.envoy.pair import FORMS, ORDERS, PAYMENT, Caller, calling, orders, payment


class Traffic:
    """Calls without a pause until the test has seen enough, and keeps count of everything."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.statuses: Counter[int | str] = Counter()
        self.serials: list[str] = []

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    @property
    def failed(self) -> int:
        return self.statuses.total() - self.statuses[200]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._caller.call()
            except httpx.HTTPError as error:
                self.statuses[repr(error)] += 1
                continue
            self.statuses[answer.status_code] += 1
            serial = answer.headers.get("x-serial", "")
            if serial and serial not in self.serials:
                self.serials.append(serial)


def issuer(envoy: Envoy, name: str) -> str:
    """Which authority signed the certificate that an Envoy shows."""
    return authority_key_id(envoy.certificate(name))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_leaves_and_authorities_rotate_without_one_failed_request(form: str, place: Path) -> None:
    """Every request has a handshake of its own; new certificates are in use, and none failed."""
    with up("--ca-ttl=32s", "--svid-ttl=6s", "--no-rate-limits") as world:
        me = f"unix:uid:{os.geteuid()}"
        world.register("/orders", me)
        world.register("/payment", me)
        socket = world["workload_socket"]
        called = payment(place, socket, form)
        with envoys(called):
            caller = orders(place, socket, form, called.port("in"))
            with envoys(caller), calling(caller) as service:
                first = issuer(caller, ORDERS), issuer(called, PAYMENT)
                with Traffic(service) as traffic:
                    eventually(
                        lambda: (
                            issuer(caller, ORDERS) != first[0]
                            and issuer(called, PAYMENT) != first[1]
                            and len(traffic.serials) >= 4
                        ),
                        90,
                        "both certificates are of another authority",
                    )
    assert traffic.failed == 0, traffic.statuses
    assert traffic.statuses[200] > 100
