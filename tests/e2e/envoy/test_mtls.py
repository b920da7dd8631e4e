"""mTLS between two real Envoys whose certificates and trust come from the agent."""

import asyncio
import os
from pathlib import Path

import pytest

from finial.runtime.clock import SystemClock
from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.wire.convert import bundle_message
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import bundle_pb2
from tests.doubles.envoy import envoys
from tests.doubles.programs import Up, eventually, up
from tests.e2e.envoy.pair import FORMS, ORDERS, calling, orders, payment

ALICE, BOB, NOBODY = 41_011, 41_012, 41_013
FRIEND = "spiffe://friend.test/orders"

both_forms = pytest.mark.parametrize("form", FORMS)


@both_forms
def test_two_envoys_meet_by_mtls(world: Up, place: Path, form: str) -> None:
    """Both certificates come from the agent, and the called one knows who calls."""
    called = payment(place, world["workload_socket"], form)
    with envoys(called):
        caller = orders(place, world["workload_socket"], form, called.port("in"))
        with envoys(caller), calling(caller) as service:
            answer = service.call()
            assert answer.status_code == 200
            assert answer.headers["x-peer"] == ORDERS
            assert answer.headers["x-serial"] in caller.serials()
            assert set(caller.secrets()) == {ORDERS, "ROOTCA"}


@both_forms
def test_a_server_with_another_identity_is_not_called(world: Up, place: Path, form: str) -> None:
    """Whom the caller means is checked against the certificate, not the address."""
    called = payment(place, world["workload_socket"], form, certificate=ORDERS)
    with envoys(called):
        caller = orders(place, world["workload_socket"], form, called.port("in"))
        with envoys(caller), calling(caller) as service:
            assert service.call().status_code == 503
            assert caller.total(r"cluster\.payment\.ssl\.fail_verify_san") > 0


@both_forms
def test_trust_domains_meet_once_they_federate_and_not_before(place: Path, form: str) -> None:
    """A caller of a foreign trust domain is refused until an entry federates with that."""
    me = f"unix:uid:{os.geteuid()}"
    with up() as ours, up("--trust-domain=friend.test") as theirs:
        ours_id = ours.register("/payment", me)["id"]
        befriend(theirs, "example.org", ours)
        make_orders(theirs, me)
        called = payment(place, ours["workload_socket"], form, certificate="default", trusted="ALL")
        with envoys(called):
            port = called.port("in")
            caller = orders(
                place, theirs["workload_socket"], form, port, certificate=FRIEND, trusted="ALL"
            )
            with envoys(caller), calling(caller) as service:
                assert "example.org" in str(caller.secrets()["ALL"])
                assert service.call().status_code == 503
                assert called.total(r"ssl\.fail_verify_error") > 0
                befriend(ours, "friend.test", theirs)
                ours.finial("entry", "update", ours_id, "--federates-with=friend.test")
                eventually(lambda: "friend.test" in str(called.secrets()["ALL"]))
                answer = service.call()
                assert answer.status_code == 200
                assert answer.headers["x-peer"] == FRIEND


@pytest.mark.root
def test_each_user_has_its_own_envoy_and_identity(place: Path) -> None:
    """An Envoy is attested like any workload: `default` is its own identity, and nobody else's."""
    with up() as world:
        socket = world["workload_socket"]
        world.register("/orders", f"unix:uid:{ALICE}")
        world.register("/payment", f"unix:uid:{BOB}")
        called = payment(place, socket, "GRPC", certificate="default", uid=BOB)
        with envoys(called):
            port = called.port("in")
            caller = orders(place, socket, "GRPC", port, certificate="default", uid=ALICE)
            thief = orders(
                place, socket, "GRPC", port, name="thief", uid=NOBODY, initial_fetch_timeout="1s"
            )
            with envoys(caller, thief), calling(caller) as service, calling(thief) as stolen:
                assert service.call().headers["x-peer"] == ORDERS
                assert stolen.call().status_code == 503
                told = world.finial("explain", "--pid", str(thief.pid))
                assert told["method"] == "StreamSecrets"
                assert told["reason"].startswith("no identity issued")


def make_orders(running: Up, selector: str) -> None:
    """Register orders in the trust domain friend.test, whose peers are of example.org, too."""
    running.finial(
        "entry", "create", f"--spiffe-id={FRIEND}", f"--parent={running['agent_id']}",
        f"--selector={selector}", "--federates-with=example.org",
    )  # fmt: skip


def befriend(running: Up, name: str, other: Up) -> None:
    """Give a server the bundle of another trust domain, as its operator would."""
    document = running.folder / "friend.json"
    other.finial("bundle", "export", str(document), "--format=spiffe")
    bundle = parse_spiffe_bundle(TrustDomain(name), document.read_bytes())
    found = method(bundle_pb2.DESCRIPTOR.services_by_name["Bundle"], "BatchSetFederatedBundle")
    request = bundle_pb2.BatchSetFederatedBundleRequest(bundle=[bundle_message(bundle)])

    async def send() -> None:
        channel = Channel(UnixAddress(Path(running["server_socket"])), clock=SystemClock())
        answer = await channel.unary(found, request, timeout=10)
        assert [each.status.code for each in answer.results] == [0]
        await channel.close()

    asyncio.run(send())
