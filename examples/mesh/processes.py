"""Services, their Envoys and the intruder, each run as whom it belongs to."""

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from configuration import by_caller, envoy, peer, pipe, spiffe_id, to, way_in, way_out
from cryptography import x509
from ground import INTRUDER, Ground, Place, Who

READY = 60.0
CALLS = {
    "payment": [],
    "orders": ["payment"],
    "gateway": ["orders", "payment"],
    "batch": ["payment"],
}


class Proxy:
    """One Envoy."""

    def __init__(self, place: Place, configuration: dict) -> None:
        self.place = place
        self._configuration = configuration
        self._process: subprocess.Popen | None = None
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(place.private / "admin.sock")),
            base_url="http://envoy",
            timeout=10,
        )

    def start(self) -> None:
        """Start it; it serves when it has its certificate."""
        file = self.place.private / "envoy.json"
        file.write_text(json.dumps(self._configuration, indent=2))
        self.place.proxy.own(file, 0o600)
        command = [self.place.envoy, "-c", file, "--disable-hot-restart", "--concurrency", "1"]
        with (self.place.private / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "-l", "warning"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self.place.proxy.options,
            )

    def is_ready(self) -> bool:
        """Whether it serves."""
        if self._process.poll() is not None:
            said = (self.place.private / "log").read_text(errors="replace")
            raise RuntimeError(f"the Envoy of {self.place.name} ended: {said[-2000:]}")
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def port(self) -> int:
        """The TCP port of its way in."""
        statuses = self._client.get("/listeners?format=json").json()["listener_statuses"]
        [found] = [each for each in statuses if each["name"] == "in"]
        return found["local_address"]["socket_address"]["port_value"]

    def certificate(self) -> x509.Certificate | None:
        """What it shows others now."""
        try:
            dump = self._client.get("/config_dump?resource=dynamic_active_secrets").json()
        except httpx.TransportError:
            return None
        for each in dump.get("configs", ()):
            found = each.get("secret", {}).get("tls_certificate")
            if found:
                pem = base64.b64decode(found["certificate_chain"]["inline_bytes"])
                return x509.load_pem_x509_certificates(pem)[0]
        return None

    def stop(self) -> None:
        """End it."""
        self._client.close()
        if self._process is not None:
            end(self._process)


def proxies(ground: Ground, agent: Path) -> Iterator[Proxy]:
    """Make the Envoys one after the other; those called first, since their ports have to be known.

    Start each and wait for it before the next is asked for.
    """
    ports: dict[str, int] = {}
    for name, callees in CALLS.items():
        place = ground.places[name]
        folder = place.folder
        ways_in, served = [], []
        if name == "payment":
            lanes = {spiffe_id("orders"): "till", spiffe_id("batch"): "office"}
            ways_in = [way_in(by_caller(lanes, "till"))]
            served = [pipe(each, folder / f"{each}.sock") for each in ("till", "office")]
        elif name == "orders":
            ways_in = [way_in(to("service"))]
            served = [pipe("service", folder / "in.sock")]
        ways_out = [way_out(folder / "out.sock", callees)] if callees else []
        clusters = [*served, *(peer(each, ports[each]) for each in callees)]
        proxy = Proxy(
            place,
            envoy(name, agent, place.private, listeners=[*ways_in, *ways_out], clusters=clusters),
        )
        yield proxy
        if ways_in:
            ports[name] = proxy.port


@contextlib.contextmanager
def service(ground: Ground, place: Place) -> Iterator[subprocess.Popen]:
    """Run a service until the end of the block."""
    arguments = [place.name, place.folder, place.front]
    command = [ground.python, ground.program("shop.py"), *arguments]
    with _running(ground, command, place.service) as process:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the service {place.name} did not start")
        yield process


@contextlib.contextmanager
def intruder(ground: Ground, port: int, certificate: Path) -> Iterator[subprocess.Popen]:
    """Run the intruder; the doors of others are only shut where there are other uids."""
    who = Who(INTRUDER, INTRUDER) if ground.is_divided else Who(None, None)
    who.own(certificate, 0o600)
    doors = [
        ground.places["orders"].folder / "out.sock",
        ground.places["payment"].folder / "till.sock",
    ]
    arguments = [*(doors if ground.is_divided else []), str(port), certificate]
    command = [ground.python, ground.program("intruder.py"), *arguments]
    with _running(ground, command, who) as process:
        yield process


@contextlib.contextmanager
def up(folder: Path, *flags: str) -> Iterator[dict]:
    """Run a CA server and an agent."""
    command = [sys.executable, "-P", "-m", "cli", "up", "--dir", folder, "--port", "0"]
    command += ["--output", "json", "--log-level", "error", *flags]
    # A session of its own: Ctrl-C is for us, and we stop it when all others have gone.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("finial up did not start")
            yield json.loads(line)
        finally:
            end(process)


@contextlib.contextmanager
def _running(ground: Ground, command: list, who: Who) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **ground.environment},
        start_new_session=True,
        **who.options,
    ) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen) -> None:
    """End a process that was started here."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def until(attempt: Callable[[], object], what: str, seconds: float = READY) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not attempt():
        if time.monotonic() > deadline:
            raise RuntimeError(f"within {seconds:.0f} s it did not happen that {what}")
        time.sleep(0.1)
