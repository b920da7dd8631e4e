"""The sidecar as a process, at a real agent."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.conftest import Requirements
from tests.doubles.everybody import copied_for_everybody
from tests.doubles.programs import Up, eventually, finial, short_folder, up
from tests.doubles.tls_programs import (
    PACKAGES,
    Caller,
    Three,
    Traffic,
    ask_for_programs,
    sidecar,
    troubles,
)

ALICE = 41_001
ME = "spiffe://example.org/orders"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A CA that rotates every few seconds, and an entry for this user with a DNS name."""
    with up("--svid-ttl=8s", "--ca-ttl=32s", "--no-rate-limits") as running_up:
        running_up.register("/orders", f"unix:uid:{os.getuid()}", dns="orders")
        eventually(
            lambda: finial("fetch", "x509", "--socket", api(running_up)).returncode == 0,
            what="the identity",
        )
        yield running_up


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


def api(world: Up) -> str:
    return f"unix://{world['workload_socket']}"


def configured(place: Path, uri: str, **svid: Any) -> Path:
    """A file for one folder."""
    wanted = {"folder": str(place / "svid"), **svid}
    lines = [f"{name} = {json.dumps(value)}" for name, value in wanted.items()]
    text = "\n".join((f'[sidecar]\nworkload_api = "{uri}"', "[[svid]]", *lines))
    (place / "sidecar.toml").write_text(text)
    return place / "sidecar.toml"


def once(config: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    return finial("sidecar", "--config", str(config), *flags)


def leaf(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "svid" / "svid.pem").read_bytes())


def test_once_writes_and_ends(world: Up, folder: Path) -> None:
    """The four files are there, the key is ours alone, and the status is 0."""
    done = once(configured(folder, api(world)), "--once")
    assert done.returncode == 0, done.stderr
    assert f"wrote {ME}" in done.stderr
    assert "PRIVATE" not in done.stderr + done.stdout
    names = {each.name for each in (folder / "svid").iterdir() if not each.name.startswith(".")}
    assert names == {"current", "svid.pem", "svid.key", "bundle.pem", "crl.pem"}
    assert stat.S_IMODE((folder / "svid" / "svid.key").stat().st_mode) == 0o600


def test_check_writes_nothing(world: Up, folder: Path) -> None:
    """It names the folders, and ends with 0."""
    done = once(configured(folder, api(world)), "--check", "--output", "json")
    assert json.loads(done.stdout)["folders"] == [str(folder / "svid")]
    assert done.returncode == 0
    assert not (folder / "svid").exists()


def test_each_failure_has_its_status(world: Up, folder: Path) -> None:
    """1 refused, 2 no Workload API named, 3 no such SVID, 4 nobody answers."""
    for wanted, flag, status, said in (
        ({"command": ["/bin/false"]}, "--once", 1, "ended with status 1"),
        ({"mode": "0666"}, "--check", 1, "nobody but the owner writes"),
        ({"folder": "/proc/1/x/y"}, "--check", 1, "/proc/1/x"),
        ({"spiffe_id": "spiffe://example.org/db"}, "--once", 3, f"it gives {ME}"),
    ):
        done = once(configured(folder, api(world), **wanted), flag)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    done = once(configured(folder, "unix:///tmp/finial-nobody.sock"), "--once")
    assert done.returncode == 4
    done = once(configured(folder, "http://x"), "--check")
    assert done.returncode == 2


def test_sigterm_is_a_good_end_and_leaves_the_files(world: Up, folder: Path) -> None:
    """A service that is stopped has not failed."""
    config = configured(folder, api(world), command=["/bin/true"])
    with sidecar(config, folder / "log") as process:
        eventually(lambda: "ran /bin/true" in (folder / "log").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert leaf(folder)


def test_the_files_outlive_the_agent_and_follow_it_again(world: Up, folder: Path) -> None:
    """While the agent is killed the last good set stays; afterwards new ones come."""
    with sidecar(configured(folder, api(world)), folder / "log"):
        eventually((folder / "svid" / "svid.pem").exists)
        os.kill(world["agent_pid"], signal.SIGKILL)
        before = leaf(folder)
        eventually(lambda: "trying again in" in (folder / "log").read_text())
        eventually(lambda: leaf(folder).serial_number != before.serial_number)


@pytest.mark.root
def test_an_ordinary_user_keeps_files_of_its_own(world: Up, folder: Path) -> None:
    """A sidecar needs no rights but to its folder; files of others it cannot make."""
    world.register("/alice", f"unix:uid:{ALICE}")
    python, environment = copied_for_everybody(folder)
    home = folder / "home"
    home.mkdir()
    os.chown(home, ALICE, ALICE)

    def as_alice(*flags: str, rights: str = "-all") -> "subprocess.CompletedProcess[str]":
        become = ["setpriv", f"--reuid={ALICE}", f"--regid={ALICE}", "--clear-groups"]
        become += [f"--inh-caps={rights}", f"--ambient-caps={rights}"]
        program = [python, "-m", "cli", "sidecar", "--config", folder / "sidecar.toml"]
        return subprocess.run(
            [*become, *program, *flags],
            env={"PATH": os.defpath, **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    configured(folder, api(world), folder=str(home / "svid"))
    eventually(lambda: as_alice("--once").returncode == 0)
    key = (home / "svid" / "svid.key").stat()
    assert (key.st_uid, stat.S_IMODE(key.st_mode)) == (ALICE, 0o600)
    with subprocess.Popen(["/bin/sleep", "60"]) as roots:
        (folder / "root.pid").write_text(str(roots.pid))
        pid_file = str(folder / "root.pid")
        configured(folder, api(world), folder=str(home / "svid"), pid_file=pid_file)
        done = as_alice("--once")
        assert (done.returncode, "is not permitted" in done.stderr) == (1, True), done.stderr
        done = as_alice("--once", rights="+kill")
        assert (done.returncode, "sent SIGHUP" in done.stderr) == (0, True), done.stderr
        assert roots.wait(10) == -signal.SIGHUP
    configured(folder, api(world), folder=str(home / "svid"), owner="root")
    done = as_alice("--check")
    assert (done.returncode, "only root can give files" in done.stderr) == (1, True)
    configured(folder, api(world), folder=str(folder / "roots"))
    done = as_alice("--once")
    assert (done.returncode, "Permission denied" in done.stderr) == (1, True), done.stderr


@pytest.mark.root
def test_real_programs_through_rotations_and_a_block(require: Requirements, world: Up) -> None:
    """SVIDs and authorities rotate, a copied certificate is blocked, and no good request fails."""
    ask_for_programs(require)
    with short_folder() as folder:
        three = Three(folder, api(world))
        own = f'[[svid]]\nfolder = "{folder}/own"\n'
        config = three.sidecar_file(own)
        done = once(config, "--once")
        assert done.returncode == 0, done.stderr
        log = folder / "sidecar.log"
        with three.running(), sidecar(config, log):
            # Until then they show what was written before they were started, which soon ends.
            for program in ("nginx", "haproxy", "postgres"):
                eventually(lambda p=program: f" to {p} " in log.read_text(), what=program)
            traffic = Traffic(Caller(folder / "own"), three)
            with traffic.flowing():
                eventually(lambda: min(len(e) for e in traffic.serials.values()) >= 8, 90)
                block_a_copy(world, three, traffic, folder)
        assert traffic.failures == [], log.read_text()
        assert troubles(log) == []
        print(traffic.made)


def block_a_copy(world: Up, three: Three, traffic: Traffic, folder: Path) -> None:
    """See that a copied certificate is let in until it is blocked, and everybody else later, too."""
    copied = minted(world, folder / "copied")
    for program in PACKAGES:
        assert copied.is_let_in(program, three.ports[program]), program
    begun = time.monotonic()
    world.finial("block", "--kind=serial", str(serial(copied)), "--reason=copied")
    for program in PACKAGES:
        port = three.ports[program]
        eventually(lambda p=program, q=port: not copied.is_let_in(p, q), what=program)
    print(f"refused by all three {time.monotonic() - begun:.2f} s after the command began")
    assert not is_over(copied)
    for program in PACKAGES:
        made = traffic.made[program]
        eventually(lambda p=program, m=made: traffic.made[p] > m + 3, what=program)


def minted(world: Up, folder: Path) -> Caller:
    """Somebody with a certificate of the same name that no agent knows of."""
    world.finial("mint", "x509", ME, "--dns=orders", "--ttl=600", f"--write={folder}")
    (folder / "key.pem").rename(folder / "svid.key")
    return Caller(folder)


def serial(caller: Caller) -> int:
    return x509.load_pem_x509_certificate((caller.folder / "svid.pem").read_bytes()).serial_number


def is_over(caller: Caller) -> bool:
    found = x509.load_pem_x509_certificate((caller.folder / "svid.pem").read_bytes())
    return found.not_valid_after_utc.timestamp() < time.time()
