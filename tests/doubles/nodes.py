"""A server and agents as programs of their own, each with a configuration file of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import grpc
import httpx

from cli.up.configuration import render
from finial.wire.pb import operator_pb2
from tests.doubles.programs import ROOT, eventually

Table = Mapping[str, Any]


class Program:
    """One program through all the processes that run it; what it says is kept in `log`."""

    def __init__(self, log: Path, arguments: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self.log = log
        log.touch()
        self._command = [*prefix, sys.executable, "-m", "cli", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What it has written to its standard error and output."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self, stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
        assert not self.runs
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=stdin, stdout=log, stderr=log, cwd=ROOT
            )

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator would; return its exit status."""
        return self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal that ends it, and wait."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for it to end by itself; return its exit status."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """End it, whatever it does."""
        if self.runs:
            self.process.kill()
            self.process.wait()


class ServerProgram(Program):
    """`finial ca run` with a folder of its own; what is given goes into its file."""

    def __init__(
        self,
        folder: Path,
        server: Table | None = None,
        plugins: Table | None = None,
        prefix: Sequence[str] = (),
        oidc: Table | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder.with_name(folder.name + ".toml")
        self._further: Table = {"oidc": oidc} if oidc else {}
        self.settings: dict[str, Any] = {
            "trust_domain": "example.org",
            "data_dir": str(folder),
            "bind_address": "127.0.0.1",
            "bind_port": 0,
            "log_level": "warn",
            "ratelimit": dict.fromkeys(
                ("attestation", "bootstrap", "signing", "renewal", "status"), 0
            ),
            **(server or {}),
        }
        self._plugins = {
            "key_manager": {"disk": {}},
            "node_attestor": {"join_token": {}},
            **(plugins or {}),
        }
        log = folder.with_name(folder.name + ".log")
        super().__init__(log, ["ca", "run", "--config", str(self.config)], prefix)

    @property
    def admin_socket(self) -> Path:
        return self.folder / "private" / "admin.sock"

    def start(self, stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
        tables = {"server": self.settings, "plugins": self._plugins, **self._further}
        self.config.write_text(render(tables))
        super().start(stdin)

    def begin(self) -> None:
        """Start it and wait until it serves."""
        self.start()
        eventually(self.is_ready, 30, "the server serves")

    def is_ready(self) -> bool:
        assert self.runs, self.said
        try:
            return self.rest("GET", "/v1/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def rest(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the REST API on the admin socket."""
        transport = httpx.HTTPTransport(uds=str(self.admin_socket))
        with httpx.Client(transport=transport, base_url="http://localhost", timeout=20) as client:
            return client.request(method, path, **options)

    def every(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, whatever its pages."""
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self.rest("GET", path, params={"page_size": 500, "page_token": token}).json()
            items += page["items"]
            token = page["next_page_token"]
            if not token:
                return items

    def token(self, **wishes: Any) -> dict[str, Any]:
        """Make a join token."""
        answer = self.rest("POST", "/v1/join-tokens", json=wishes)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def entry(self, parent: str, path: str, *selectors: str, **members: Any) -> dict[str, Any]:
        """Create an entry."""
        wish = {
            "spiffe_id": f"spiffe://example.org{path}",
            "parent_id": parent,
            "selectors": list(selectors) or [f"unix:uid:{os.getuid()}"],
        }
        answer = self.rest("POST", "/v1/entries", json={**wish, **members})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


class AgentProgram(Program):
    """`finial agent run` with a folder of its own; `join` is the join file, `-` for stdin."""

    def __init__(
        self,
        folder: Path,
        agent: Table | None = None,
        plugins: Table | None = None,
        *,
        join: Path | str | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.config = folder.with_name(folder.name + ".toml")
        own = {"data_dir": str(folder), "log_level": "warn", **(agent or {})}
        theirs = {"key_manager": {"disk": {}}, "workload_attestor": {"unix": {}}}
        self.config.write_text(render({"agent": own, "plugins": {**theirs, **(plugins or {})}}))
        arguments = ["agent", "run", "--config", str(self.config)]
        if join is not None:
            arguments += ["--join-file", str(join)]
        super().__init__(folder.with_name(folder.name + ".log"), arguments, prefix)

    @property
    def workload_socket(self) -> Path:
        return self.folder / "workload" / "workload.sock"

    @property
    def operator_socket(self) -> Path:
        return self.folder / "agent.sock"

    def begin(self, seconds: float = 30.0) -> operator_pb2.Status:
        """Start it and wait until it has synced."""
        self.start()
        return self.synced(seconds)

    def synced(self, seconds: float = 30.0) -> operator_pb2.Status:
        """Wait until it has joined and synced."""

        def look() -> operator_pb2.Status | None:
            assert self.runs, self.said
            status = self.status()
            return status if status and status.synced and status.agent_id else None

        return eventually(look, seconds, "the agent has synced")

    def status(self) -> operator_pb2.Status | None:
        """What it says of itself, nothing while it does not answer."""
        return operator_status(self.operator_socket)


def operator_status(socket: Path) -> operator_pb2.Status | None:
    """What an agent says of itself, nothing while it does not answer."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        ask = channel.unary_unary(
            "/finial.operator.v1.Operator/GetStatus",
            request_serializer=lambda _: b"",
            response_deserializer=operator_pb2.Status.FromString,
        )
        try:
            status: operator_pb2.Status = ask(None, timeout=5)
        except grpc.RpcError:
            return None
        return status


@contextlib.contextmanager
def closing(*programs: Program) -> Iterator[None]:
    """End these programs, however the test ends."""
    try:
        yield
    finally:
        for program in reversed(programs):
            program.close()
