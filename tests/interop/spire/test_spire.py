"""Real SPIRE 1.16 programs against ours; `make test-spire` names the binaries."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.doubles.programs import Up, eventually, finial, running, short_folder, up

AGENT = os.environ.get("SPIRE_AGENT", "")
SERVER = os.environ.get("SPIRE_SERVER", "")
pytestmark = [
    pytest.mark.skipif(
        not (AGENT and SERVER),
        reason="SPIRE_AGENT and SPIRE_SERVER are not set; run: make test-spire SPIRE_AGENT=... SPIRE_SERVER=...",
    ),
    pytest.mark.timeout(400),
]

AGENT_CONF = """
agent {{
  data_dir = "{folder}"
  log_level = "INFO"
  server_address = "{host}"
  server_port = "{port}"
  socket_path = "{folder}/agent.sock"
  trust_domain = "example.org"
  {trust}
  join_token = "{token}"
}}
plugins {{
  KeyManager "disk" {{ plugin_data {{ directory = "{folder}" }} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{ plugin_data {{ discover_workload_path = true }} }}
}}
"""
SERVER_CONF = """
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{folder}/server.sock"
  trust_domain = "example.org"
  data_dir = "{folder}"
  log_level = "INFO"
  ca_ttl = "60s"
  default_x509_svid_ttl = "20s"
  agent_ttl = "20s"
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/db" }} }}
  KeyManager "disk" {{ plugin_data {{ keys_path = "{folder}/keys.json" }} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"""


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def fetched(socket: Path) -> dict[str, Any] | None:
    """What SPIRE's own command fetches from a Workload API, or nothing while there is none."""
    done = subprocess.run(
        [
            AGENT,
            "api",
            "fetch",
            "x509",
            "-socketPath",
            str(socket),
            "-timeout",
            "5s",
            "-output",
            "json",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def serials(answer: dict[str, Any]) -> tuple[int, int]:
    """Serial numbers of the leaf and of the newest authority in its bundle."""
    svid = answer["svids"][0]
    leaf = x509.load_der_x509_certificate(base64.b64decode(svid["x509_svid"]))
    return leaf.serial_number, len(base64.b64decode(svid["bundle"]))


def authority_of(answer: dict[str, Any]) -> bytes:
    """The key identifier of the authority that signed the leaf."""
    leaf = x509.load_der_x509_certificate(base64.b64decode(answer["svids"][0]["x509_svid"]))
    found = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    return found.value.key_identifier or b""


def survives(fetch: Callable[[], dict[str, Any] | None], seconds: float) -> int:
    """Fetch every second, never in vain, and count the authorities that signed."""
    authorities = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = fetch()
        assert answer, "a fetch failed"
        authorities.add(authority_of(answer))
        time.sleep(1)
    return len(authorities)


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    with up("--ca-ttl=60s", "--svid-ttl=20s", "--no-rate-limits") as running_up:
        yield running_up


def test_a_spire_agent_joins_and_lives_through_renewal_and_a_ca_rotation(world: Up) -> None:
    """SPIRE's agent joins our server, and its workload is served through two authorities."""
    socket = ["-socketPath", world["server_socket"]]
    token = json.loads(output(SERVER, "token", "generate", *socket, "-output", "json"))["value"]
    host, _, port = world["grpc_address"].rpartition(":")
    with short_folder() as folder:
        (folder / "agent.conf").write_text(
            AGENT_CONF.format(
                folder=folder, host=host, port=port, token=token,
                trust=f'trust_bundle_path = "{world["bundle_path"]}"',
            )
        )  # fmt: skip
        with running([AGENT, "run", "-config", str(folder / "agent.conf")], stdout=None):
            agent_id = eventually(lambda: joined(world, "join_token"), what="the agent joins")
            output(
                SERVER, "entry", "create", *socket, "-parentID", agent_id,
                "-spiffeID", "spiffe://example.org/web",
                "-selector", f"unix:uid:{os.getuid()}",
            )  # fmt: skip
            eventually(lambda: fetched(folder / "agent.sock"), what="the first SVID")
            assert survives(lambda: fetched(folder / "agent.sock"), 75) >= 2
            renewed = json.loads(
                output(SERVER, "agent", "show", *socket, "-spiffeID", agent_id, "-output", "json")
            )
            assert int(renewed["x509svid_expires_at"]) > time.time()


def joined(world: Up, kind: str) -> str | None:
    listed = json.loads(
        output(
            SERVER, "agent", "list", "-socketPath", world["server_socket"],
            "-attestationType", kind, "-output", "json",
        )
    )  # fmt: skip
    for agent in listed["agents"]:
        return f"spiffe://{agent['id']['trust_domain']}{agent['id']['path']}"
    return None


def test_our_agent_joins_a_spire_server_and_lives_through_a_ca_rotation() -> None:
    """Our agent joins SPIRE's server by token and serves a workload through two authorities."""
    with short_folder() as folder:
        (folder / "server.conf").write_text(SERVER_CONF.format(folder=folder, port=18181))
        socket = ["-socketPath", str(folder / "server.sock")]
        with running([SERVER, "run", "-config", str(folder / "server.conf")], stdout=None):
            eventually(
                lambda: (
                    subprocess.run([SERVER, "healthcheck", *socket], check=False).returncode == 0
                ),
                60,
            )
            token = json.loads(output(SERVER, "token", "generate", *socket, "-output", "json"))
            (folder / "token").write_text(token["value"])
            (folder / "token").chmod(0o600)
            (folder / "bundle.pem").write_text(output(SERVER, "bundle", "show", *socket))
            (folder / "agent.toml").write_text(
                f"""
[agent]
trust_domain = "example.org"
server_address = "127.0.0.1"
server_port = 18181
data_dir = "{folder}/d"
trust_bundle_path = "{folder}/bundle.pem"
join_token_file = "{folder}/token"
"""
            )
            agent_id = f"spiffe://example.org/spire/agent/join_token/{token['value']}"
            output(
                SERVER, "entry", "create", *socket, "-parentID", agent_id,
                "-spiffeID", "spiffe://example.org/web", "-selector", f"unix:uid:{os.getuid()}",
            )  # fmt: skip
            command = ["agent", "run", "--config", str(folder / "agent.toml")]
            with running([sys.executable, "-m", "cli", *command]):
                workload = folder / "d" / "workload" / "workload.sock"
                eventually(lambda: fetched(workload), 60, "the first SVID")
                assert survives(lambda: fetched(workload), 75) >= 2


def test_spire_server_commands_work_on_our_socket(world: Up) -> None:
    """The administrators' commands of SPIRE do on our socket what they do on SPIRE's."""
    socket = ["-socketPath", world["server_socket"]]

    def server(*arguments: str) -> str:
        return output(SERVER, *arguments[:2], *socket, *arguments[2:])

    assert "Server is healthy" in output(SERVER, "healthcheck", *socket)
    created = json.loads(
        server(
            "entry", "create", "-parentID", world["agent_id"], "-spiffeID",
            "spiffe://example.org/cli", "-selector", "unix:uid:4711", "-x509SVIDTTL", "60",
            "-dns", "cli.example.org", "-hint", "cli", "-output", "json",
        )
    )["results"][0]["entry"]  # fmt: skip
    assert "Found 1 entry" in server("entry", "show", "-entryID", created["id"])
    assert "Found 1 entry" in server("entry", "show", "-selector", "unix:uid:4711")
    server(
        "entry", "update", "-entryID", created["id"], "-parentID", world["agent_id"],
        "-spiffeID", "spiffe://example.org/cli", "-selector", "unix:uid:4712",
    )  # fmt: skip
    assert "unix:uid:4712" in server("entry", "show", "-entryID", created["id"])
    assert "registration entr" in server("entry", "count")
    server("entry", "delete", "-entryID", created["id"])

    assert world["agent_id"] in server("agent", "list")
    assert "attested agent" in server("agent", "count")
    assert world["agent_id"] in server("agent", "show", "-spiffeID", world["agent_id"])

    bundle = server("bundle", "show")
    assert "BEGIN CERTIFICATE" in bundle
    with short_folder() as folder:
        (folder / "foreign.pem").write_text(bundle)
        server(
            "bundle", "set", "-id", "spiffe://foreign.test", "-path", str(folder / "foreign.pem")
        )
        assert "foreign.test" in server("bundle", "list")
        server("bundle", "delete", "-id", "spiffe://foreign.test")
        minted = server(
            "x509", "mint", "-spiffeID", "spiffe://example.org/minted", "-write", str(folder)
        )
        assert "X509-SVID" in minted
        done = finial("inspect", str(folder / "svid.pem"), "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
    assert (
        server("jwt", "mint", "-spiffeID", "spiffe://example.org/minted", "-audience", "db").count(
            "."
        )
        == 2
    )
