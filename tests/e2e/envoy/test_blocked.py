"""A blocked identity, at Envoys that have its certificate and those that are shown it."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.envoy import envoys
from tests.doubles.programs import eventually, up
from tests.e2e.envoy.pair import FORMS, ORDERS, calling, orders, payment

PLAIN = {"metadata": {"disable_spiffe_cert_validation": True}}


@pytest.mark.parametrize("node", [None, PLAIN], ids=["validator", "plain"])
@pytest.mark.parametrize("form", FORMS)
def test_a_blocked_certificate_is_refused_in_the_handshake(
    place: Path, form: str, node: dict[str, Any] | None
) -> None:
    """Whoever holds it keeps it; every other Envoy refuses it, until the block is lifted."""
    with up() as world:
        me = f"unix:uid:{os.geteuid()}"
        socket = world["workload_socket"]
        world.register("/orders", me)
        world.register("/payment", me)
        called = payment(place, socket, form, node=node)
        with envoys(called):
            caller = orders(place, socket, form, called.port("in"))
            with envoys(caller), calling(caller) as service:
                assert service.call().status_code == 200
                [before] = caller.serials()
                world.finial("block", ORDERS, "--reason", "key leaked")
                eventually(lambda: service.call().status_code == 503, 15, "it is refused")
                assert caller.serials() == [before]
                assert called.total(r"ssl\.fail_verify_error") > 0
                told = world.finial("explain", "--pid", str(caller.pid))
                assert "is blocked" in told["reason"]
                world.finial("unblock", ORDERS)
                eventually(lambda: service.call().status_code == 200, 15, "it is accepted again")
                assert caller.serials() != [before]
