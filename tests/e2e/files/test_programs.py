"""nginx, HAProxy and PostgreSQL with files of the sidecar, as the example configures them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finial.runtime.clock import SystemClock
from tests.conftest import Requirements
from tests.doubles.ca import Signed, SmallCa, name
from tests.doubles.programs import eventually, finial, short_folder
from tests.doubles.tls_programs import (
    PACKAGES,
    Caller,
    Three,
    Traffic,
    ask_for_programs,
    sidecar,
    troubles,
)
from tests.doubles.workload_api import GivenSvids, answer, revoking, workload_api

pytestmark = [pytest.mark.root, pytest.mark.slow]


class Stage:
    """The three programs, a sidecar that a Workload API double feeds, and two callers."""

    def __init__(self, folder: Path, api: GivenSvids) -> None:
        self.three = Three(folder, api.uri)
        self.log = folder / "sidecar.log"
        self.now = SystemClock().now()
        self.ca = SmallCa(now=self.now)
        self.api = api
        self._count = 0
        self.orders = self.caller("orders")
        self.thief, self.stolen = self.caller("thief"), self.signed("orders")
        self.lay("thief", self.stolen)

    def signed(self, common_name: str, ca: SmallCa | None = None) -> Signed:
        """An SVID of an entry with a DNS name."""
        return (ca or self.ca).workload(f"/{common_name}", subject=name(common_name))

    def caller(self, common_name: str) -> Caller:
        """A caller with files that no sidecar writes."""
        self.lay(common_name, self.signed(common_name))
        return Caller(self.three.folder / common_name)

    def lay(self, common_name: str, signed: Signed, *authorities: SmallCa) -> None:
        """Give a caller other files, all at once."""
        self._count += 1
        folder = self.three.folder / f"{common_name}-{self._count}"
        folder.mkdir()
        (folder / "svid.pem").write_bytes(signed.chain_pem)
        (folder / "svid.key").write_bytes(signed.key_pem)
        (folder / "bundle.pem").write_bytes(b"".join(e.pem for e in (self.ca, *authorities)))
        new = self.three.folder / f"{common_name}.new"
        new.symlink_to(folder)
        new.rename(self.three.folder / common_name)

    def wait(self, seconds: float) -> None:
        """Let real programs have a moment."""
        time.sleep(seconds)

    def port(self, program: str) -> int:
        return self.three.ports[program]


@pytest.fixture
def stage(require: Requirements) -> Iterator[Stage]:
    ask_for_programs(require)
    with short_folder() as folder, workload_api(folder / "w.sock") as api:
        yield Stage(folder, api)


def test_rotations_are_seen_and_lists_are_honoured_without_a_failed_request(stage: Stage) -> None:
    """All three verify callers, take each new SVID, authority and list, and refuse nobody else.

    Without a list they run without one; with one, a revoked certificate is refused at once.
    """
    server = stage.signed("server")
    stage.api.give(answer(server, authorities=[stage.ca]))
    config = stage.three.sidecar_file()
    done = finial("sidecar", "--config", str(config), "--once")
    assert done.returncode == 0, done.stderr
    assert (stage.three.folder / "nginx" / "crl.pem").read_bytes() == b""
    with (
        stage.three.running(),
        sidecar(config, stage.log),
        Traffic(stage.orders, stage.three).flowing() as traffic,
    ):
        everybody_sees(stage, traffic, server)
        for program in PACKAGES:
            assert stage.thief.is_let_in(program, stage.port(program))

        for _ in range(3):
            server = stage.signed("server")
            stage.api.give(answer(server, authorities=[stage.ca]))
            everybody_sees(stage, traffic, server)

        empty, full = revoking(stage.ca), revoking(stage.ca, stage.stolen)
        stage.api.give(answer(server, authorities=[stage.ca], crls=[empty]))
        eventually(lambda: b"X509 CRL" in (stage.three.folder / "nginx/crl.pem").read_bytes())
        for program in PACKAGES:
            assert stage.thief.is_let_in(program, stage.port(program))
        begun = time.monotonic()
        stage.api.give(answer(server, authorities=[stage.ca], crls=[full]))
        for program in PACKAGES:
            eventually(lambda p=program: not stage.thief.is_let_in(p, stage.port(p)), what=program)
        print(f"the revoked caller was refused by all after {time.monotonic() - begun:.2f} s")

        successor = SmallCa(now=stage.now)
        both, lists = [stage.ca, successor], [full, revoking(successor)]
        stage.api.give(answer(server, authorities=both, crls=lists))
        stage.lay("orders", stage.signed("orders"), successor)
        server = stage.signed("server", successor)
        stage.api.give(answer(server, authorities=both, crls=lists))
        everybody_sees(stage, traffic, server)
        for program in PACKAGES:
            assert not stage.thief.is_let_in(program, stage.port(program))
        stage.lay("thief", stage.signed("thief", SmallCa(now=stage.now)), successor)
        for program in PACKAGES:
            assert not stage.thief.is_let_in(program, stage.port(program))
    assert traffic.failures == []
    print(traffic.made)
    assert min(traffic.made.values()) > 20
    assert min(len(seen) for seen in traffic.serials.values()) >= 5


def test_a_burst_of_rotations_ends_with_the_latest(stage: Stage) -> None:
    """HAProxy loses signals that come while it starts workers; the last SVID is shown all the same."""
    stage.api.give(answer(stage.signed("server"), authorities=[stage.ca]))
    config = stage.three.sidecar_file()
    assert finial("sidecar", "--config", str(config), "--once").returncode == 0
    with (
        stage.three.running(),
        sidecar(config, stage.log),
        Traffic(stage.orders, stage.three).flowing() as traffic,
    ):
        eventually(lambda: min(traffic.made.values()) > 3)
        for _ in range(20):
            server = stage.signed("server")
            stage.api.give(answer(server, authorities=[stage.ca]))
            stage.wait(0.03)
        everybody_sees(stage, traffic, server)
    assert traffic.failures == []


def test_a_program_that_refuses_its_configuration_is_told_again(stage: Stage) -> None:
    """nginx goes on with what it had, that is said, and when it is mended it gets the latest."""
    stage.api.give(answer(stage.signed("server"), authorities=[stage.ca]))
    config = stage.three.sidecar_file()
    config.write_text(config.read_text().replace('"nginx"', '"nginx"\ntimeout = "1s"'))
    assert finial("sidecar", "--config", str(config), "--once").returncode == 0
    with (
        stage.three.running(),
        sidecar(config, stage.log),
        Traffic(stage.orders, stage.three).flowing() as traffic,
    ):
        eventually(lambda: stage.log.read_text().count("sent SIGHUP to nginx") == 1)
        good = (stage.three.folder / "nginx.conf").read_text()
        (stage.three.folder / "nginx.conf").write_text(good + "nonsense;")
        server = stage.signed("server")
        stage.api.give(answer(server, authorities=[stage.ca]))
        eventually(lambda: "has no new worker after 1 s" in stage.log.read_text())
        (stage.three.folder / "nginx.conf").write_text(good)
        serial = server.certificate.serial_number
        eventually(lambda: all(traffic.shows(each, serial) for each in PACKAGES))
    assert traffic.failures == []


def everybody_sees(stage: Stage, traffic: Traffic, signed: Signed) -> None:
    """Wait until new connections to each program meet this certificate."""
    for program in PACKAGES:
        serial = signed.certificate.serial_number
        eventually(lambda p=program, s=serial: traffic.shows(p, s), 60, f"{program} rotates")
    assert troubles(stage.log) == []
