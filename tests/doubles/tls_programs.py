"""nginx, HAProxy and PostgreSQL as `examples/files` configures them, and callers of theirs."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from tests.conftest import Requirements
from tests.doubles.programs import ROOT, eventually

EXAMPLE = ROOT / "examples" / "files"
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "postgresql": "postgresql"}
POSTGRESQL = Path("/usr/lib/postgresql")
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
STARTUP = b"\x00\x03\x00\x00user\x00orders\x00database\x00postgres\x00\x00"


def ask_for_programs(require: Requirements) -> None:
    """Name the Debian package of each that is missing."""
    install = "apt-get install --no-install-recommends"
    for program in ("nginx", "haproxy"):
        require.command(program, f"{install} {PACKAGES[program]}")
    require.path(POSTGRESQL, f"{install} {PACKAGES['postgresql']}")


@dataclass
class Three:
    """The three programs in a folder, each on a port of its own."""

    folder: Path
    api: str
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {name: _free_port() for name in PACKAGES}

    def example(self, name: str) -> str:
        """A file of the example, with this folder in place of the system's."""
        text = (EXAMPLE / name).read_text()
        for there, here in (
            ("/var/lib/postgresql/15/main/", f"{self.folder}/data/"),
            ("unix:///run/finial/workload/workload.sock", self.api),
            ("/etc/nginx/svid", f"{self.folder}/nginx"),
            ("/etc/haproxy/svid", f"{self.folder}/haproxy"),
            ("/etc/postgresql/svid", f"{self.folder}/postgresql"),
            ("/etc/batch/svid", f"{self.folder}/batch"),
            ("/run/nginx.pid", f"{self.folder}/nginx.pid"),
            ("/usr/bin/logger", "/bin/echo"),
            ("127.0.0.1:8443", f"127.0.0.1:{self.ports['nginx']}"),
            ("127.0.0.1:9443", f"127.0.0.1:{self.ports['haproxy']}"),
        ):
            text = text.replace(there, here)
        return text

    def sidecar_file(self, *more: str) -> Path:
        """The example's `[[svid]]`, with pid files of our own."""
        text = self.example("sidecar.toml")
        for name in ("nginx", "haproxy"):
            mark = f'program = "{name}"'
            text = text.replace(mark, f'{mark}\npid_file = "{self.folder}/{name}.pid"')
        path = self.folder / "sidecar.toml"
        path.write_text("\n".join((text, *more)))
        return path

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run all three; their files are there already."""
        with self._nginx(), self._haproxy(), self._postgresql():
            yield

    @contextlib.contextmanager
    def _nginx(self) -> Iterator[None]:
        config = self.folder / "nginx.conf"
        config.write_text(self.example("nginx.conf"))
        log = str(self.folder / "nginx.log")
        command = ["nginx", "-e", log, "-c", str(config), "-g", "daemon off;"]
        with _running(command, self.ports["nginx"], signal.SIGTERM):
            yield

    @contextlib.contextmanager
    def _haproxy(self) -> Iterator[None]:
        config = self.folder / "haproxy.cfg"
        config.write_text(self.example("haproxy.cfg"))
        command = ["haproxy", "-W", "-f", str(config), "-p", str(self.folder / "haproxy.pid")]
        log = (self.folder / "haproxy.log").open("w")
        with log, _running(command, self.ports["haproxy"], signal.SIGTERM, stderr=log):
            yield

    @contextlib.contextmanager
    def _postgresql(self) -> Iterator[None]:
        programs = max(POSTGRESQL.glob("*/bin"))
        data = self.folder / "data"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        whose = {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": "/"}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "orders", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            env={"LC_ALL": "C", "PATH": os.defpath},
            **whose,
        )
        with (data / "postgresql.conf").open("a") as more:
            more.write(self.example("postgresql.conf"))
        shutil.copyfile(EXAMPLE / "pg_hba.conf", data / "pg_hba.conf")
        port = self.ports["postgresql"]
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-F"]
        command += ["-c", f"unix_socket_directories={data}"]
        log = (self.folder / "postgresql.log").open("w")
        with log, _running(command, port, signal.SIGINT, stderr=log, **whose):
            yield


@dataclass(frozen=True)
class Caller:
    """Somebody with the files of a folder."""

    folder: Path

    def context(self) -> ssl.SSLContext:
        """What one set of files makes, whatever happens to the folder meanwhile."""
        folder = self.folder / "current"
        folder = (folder if folder.exists() else self.folder).resolve()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(folder / "bundle.pem")
        context.load_cert_chain(folder / "svid.pem", folder / "svid.key")
        return context

    def call(self, name: str, port: int) -> x509.Certificate:
        """Make a new connection and have it answered. Raises: OSError, PermissionError."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            if name == "postgresql":
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    raise PermissionError("no TLS")
            with self.context().wrap_socket(plain) as connection:
                if name == "postgresql":
                    connection.sendall((len(STARTUP) + 4).to_bytes(4, "big") + STARTUP)
                    answer = connection.recv(4096)
                    is_in = answer.startswith(b"R\x00\x00\x00\x08\x00\x00\x00\x00")
                else:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                    answer = connection.recv(4096)
                    is_in = answer.startswith(b"HTTP/1.1 200 ")
                if not is_in:
                    raise PermissionError(answer[:200])
                leaf = connection.getpeercert(binary_form=True)
        assert leaf is not None
        return x509.load_der_x509_certificate(leaf)

    def is_let_in(self, name: str, port: int) -> bool:
        """Whether a new connection is answered."""
        try:
            self.call(name, port)
        except OSError:
            return False
        return True


class Traffic:
    """Calls each program again and again, each time on a new connection, and counts."""

    def __init__(self, caller: Caller, three: Three) -> None:
        self._caller = caller
        self._three = three
        self._over = threading.Event()
        self.made = dict.fromkeys(PACKAGES, 0)
        self.serials: dict[str, list[int]] = {name: [] for name in PACKAGES}
        self.failures: list[str] = []

    @contextlib.contextmanager
    def flowing(self) -> Iterator["Traffic"]:
        threads = [threading.Thread(target=self._call, args=(name,)) for name in PACKAGES]
        for each in threads:
            each.start()
        try:
            yield self
        finally:
            self._over.set()
            for each in threads:
                each.join(30)

    def shows(self, name: str, serial: int) -> bool:
        """Whether the program's latest certificate has that serial number."""
        return self.serials[name][-1:] == [serial]

    def _call(self, name: str) -> None:
        while not self._over.is_set():
            try:
                found = self._caller.call(name, self._three.ports[name]).serial_number
            except OSError as fault:
                self.failures.append(f"{name}: {fault!r}")
            else:
                self.made[name] += 1
                if not self.shows(name, found):
                    self.serials[name].append(found)
            self._over.wait(0.01)


def troubles(log: Path) -> list[str]:
    """What a sidecar calls an error, but for a signal that came to nothing and is sent again.

    HAProxy loses those that come while it starts workers, the more easily the busier the machine.
    """
    lines = log.read_text().splitlines()
    return [each for each in lines if " ERROR " in each and "has no new worker" not in each]


@contextlib.contextmanager
def sidecar(config: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a sidecar, and stop it by SIGTERM."""
    command = [sys.executable, "-m", "cli", "sidecar", "--config", str(config)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def _running(
    command: list[str], port: int, end: signal.Signals, **options: object
) -> Iterator[None]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        eventually(lambda: _listens(port) or process.poll() is not None, what=command[0])
        assert process.poll() is None, f"{command[0]} ended"
        yield
    finally:
        process.send_signal(end)
        process.wait(20)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
