"""What an Envoy does and is told that has no identity, loses it, or asks for the wrong thing."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.doubles import envoy_parts as parts
from tests.doubles.envoy import Envoy, envoys
from tests.doubles.programs import Up, eventually, up
from tests.e2e.envoy.pair import FORMS, calling, orders, payment

both_forms = pytest.mark.parametrize("form", FORMS)


def records(world: Up, kind: str) -> list[dict[str, object]]:
    """The agent's audit records of one kind."""
    lines = (world.folder / "private" / "agent-audit.log").read_text().splitlines()
    return [found for found in map(json.loads, lines) if found["kind"] == kind]


@both_forms
def test_an_envoy_may_start_before_its_entry_is_made(place: Path, form: str) -> None:
    """It waits on its open stream, the agent says why, and the entry arrives in moments."""
    with up() as world:
        envoy = payment(place, world["workload_socket"], form, initial_fetch_timeout="1s")
        with envoys(envoy):
            told = eventually(lambda: records(world, "call_refused"))[0]
            explained = world.finial("explain", "--refusal", str(told["explained_as"]))
            assert explained["method"] in ("StreamSecrets", "DeltaSecrets")
            assert explained["process"]["pid"] == envoy.pid
            world.register("/payment", f"unix:uid:{os.geteuid()}")
            eventually(envoy.serials, 15, "the certificate arrives")


@both_forms
def test_a_lost_identity_is_recorded_and_comes_back(place: Path, form: str) -> None:
    """Envoy keeps what it has, whatever it is told; an identity made anew replaces it."""
    with up() as world:
        me = f"unix:uid:{os.geteuid()}"
        socket = world["workload_socket"]
        world.register("/orders", me)
        made = world.register("/payment", me)
        called = payment(place, socket, form)
        with envoys(called):
            caller = orders(place, socket, form, called.port("in"))
            with envoys(caller), calling(caller) as service:
                [before] = called.serials()
                world.finial("entry", "delete", made["id"])
                [told] = eventually(lambda: records(world, "call_refused"))
                assert told["caller"] == {
                    "pid": called.pid,
                    "uid": os.geteuid(),
                    "gid": os.getegid(),
                }
                assert called.serials() == [before]
                assert service.call().status_code == 200
                world.register("/payment", me)
                eventually(lambda: called.serials() != [before], 15, "a new certificate")
                assert service.call().status_code == 200


@both_forms
def test_what_an_envoy_rejects_is_recorded_and_not_sent_again(
    world: Up, place: Path, form: str
) -> None:
    """A bundle where a certificate belongs is a mistake of its configuration: said once, no loop."""
    envoy = payment(place, world["workload_socket"], form, certificate="ROOTCA")
    before = len(records(world, "secret_rejected"))
    with envoys(envoy):
        eventually(lambda: len(records(world, "secret_rejected")) > before)
        rejected = records(world, "secret_rejected")[-1]
        assert rejected["names"] == ["ROOTCA"]
        assert "private key" in str(rejected["detail"])
        attempts = envoy.total(r"sds\.ROOTCA\.update_attempt")
        eventually(lambda: envoy.total(r"server\.uptime") >= 1)
        assert envoy.total(r"sds\.ROOTCA\.update_attempt") == attempts
        assert envoy.total(r"sds\.ROOTCA\.update_rejected") == 1
    assert len(records(world, "secret_rejected")) == before + 1


def test_a_name_that_means_nothing_is_told_to_envoy(world: Up, place: Path) -> None:
    """Envoy's own log says which names there are."""
    tls = parts.downstream(parts.tls_context("no-such", "ROOTCA", initial_fetch_timeout="1s"))
    listener = parts.listener("in", [parts.answers()], tls=tls)
    envoy = Envoy(
        place,
        "mistaken",
        parts.resources([listener], [parts.agent_cluster(world["workload_socket"])]),
    )
    with envoys(envoy):
        eventually(lambda: "there is no secret" in envoy.said)
        assert "default, ROOTCA, ALL or a SPIFFE ID" in envoy.said


@both_forms
def test_certificates_outlive_the_agent_and_are_followed_again(place: Path, form: str) -> None:
    """While the agent is away Envoys go on; they find it again and get what is new by then."""
    with up() as world:
        me = f"unix:uid:{os.geteuid()}"
        socket = world["workload_socket"]
        world.register("/orders", me)
        world.register("/payment", me)
        called = payment(place, socket, form)
        with envoys(called):
            caller = orders(place, socket, form, called.port("in"))
            with envoys(caller), calling(caller) as service:
                [before] = called.serials()
                os.kill(world["agent_pid"], signal.SIGKILL)
                assert {service.call().status_code for _ in range(20)} == {200}
                # The agent keeps no workload's key on disk, so what it gives out is new.
                eventually(lambda: called.serials() != [before], 60, "a new certificate")
                assert service.call().status_code == 200
