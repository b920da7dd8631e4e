"""A server that is away for long, an agent that was stopped, and how both recover by themselves."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from finial.wire.join_string import JoinString, split_address
from tests.doubles.node_ca import NodeCa
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import eventually, finial, short_folder, up
from tests.doubles.workload import Subscriber, fetch, refusal_of, status_of

pytestmark = pytest.mark.slow
OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
NOT_YET = "the SVID could not be signed in time"
SHORT: dict[str, Any] = {"ca_ttl": 12, "default_x509_svid_ttl": 5, "agent_ttl": 5}


def is_not_yet_signed(agent: AgentProgram) -> bool:
    code, text = refusal_of(lambda: fetch(agent.workload_socket))
    return code is UNAVAILABLE and text.startswith(NOT_YET)


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def x509pop_agent(place: Path, server: ServerProgram, nodes: NodeCa) -> AgentProgram:
    """An agent that can always prove its node, and knows the server by a file."""
    host, port = split_address(JoinString.parse(server.token()["join"]).servers[0])
    return AgentProgram(
        place / "agent",
        {
            "trust_domain": "example.org",
            "server_address": host,
            "server_port": port,
            "trust_bundle_path": str(server.folder / "bundle.pem"),
            "hold": 1,
        },
        nodes.agent,
    )


def serves(agent: AgentProgram) -> bool:
    return status_of(lambda: fetch(agent.workload_socket)) is OK


def ends(leaf: x509.Certificate) -> float:
    return leaf.not_valid_after_utc.timestamp()


def keep_port(server: ServerProgram) -> None:
    """Let the server come back where its agents look for it."""
    _, port = split_address(JoinString.parse(server.token()["join"]).servers[0])
    server.settings["bind_port"] = port


def test_a_server_that_was_away_for_longer_than_everything_lived(place: Path) -> None:
    """SVIDs are served until they end; then Unavailable; with the server all of it comes back."""
    nodes = NodeCa.made_in(place / "nodes")
    server = ServerProgram(place / "ca", SHORT, nodes.server)
    with closing(server):
        server.begin()
        agent = x509pop_agent(place, server, nodes)
        with closing(agent):
            agent_id = agent.begin().agent_id
            server.entry(agent_id, "/w")
            eventually(lambda: serves(agent), 10, "the workload has its SVID")
            keep_port(server)
            server.stop()
            with Subscriber(agent.workload_socket).open() as subscriber:
                last = served_until_it_ends(agent)
                # Longer than the CA lived: nothing that the agent knows is worth anything.
                former = (server.folder / "bundle.pem").read_bytes()
                time.sleep(max(0.0, last_end(former) - time.time()))
                assert is_not_yet_signed(agent)
                assert agent.runs, agent.said
                before = subscriber.serials
                server.begin()
                eventually(lambda: serves(agent), 30, "the agent has recovered")
                eventually(lambda: subscriber.serials - before, 5, "an open stream has recovered")
                assert subscriber.ends == []
            assert (server.folder / "bundle.pem").read_bytes() != former
            assert all(ends(leaf) > last for _, leaf in fetch(agent.workload_socket))
            assert [each["id"] for each in server.every("/v1/agents")] == [agent_id]
            assert agent.pid == agent.process.pid
            assert "Traceback" not in agent.said + server.said


def served_until_it_ends(agent: AgentProgram) -> float:
    """What is valid is served, what has ended is not; return when that was."""
    [(_, leaf)] = fetch(agent.workload_socket)
    while time.time() < ends(leaf) - 0.7:
        [(spiffe_id, leaf)] = fetch(agent.workload_socket)
        assert spiffe_id == "spiffe://example.org/w"
        assert ends(leaf) > time.time()
        time.sleep(0.2)
    time.sleep(max(0.0, ends(leaf) - time.time()))
    assert is_not_yet_signed(agent)
    return ends(leaf)


def last_end(bundle: bytes) -> float:
    return max(map(ends, x509.load_pem_x509_certificates(bundle)))


def test_an_agent_without_proof_says_what_to_run_and_exits(place: Path) -> None:
    """A join token is spent once: when its agent has lost its SVID it says so and ends with 1."""
    server = ServerProgram(place / "ca", SHORT)
    agent = AgentProgram(place / "agent", join=place / "join")
    with closing(server, agent):
        server.begin()
        (place / "join").write_text(server.token()["join"])
        agent_id = agent.begin().agent_id
        server.entry(agent_id, "/w")
        eventually(lambda: serves(agent), 10)
        keep_port(server)
        server.stop()
        assert agent.ended(30) == 1
        assert "finial token create" in agent.said
        assert "finial agent run --join-file" in agent.said
        assert "Traceback" not in agent.said
        # The same join string is of no use any more.
        server.begin()
        agent.start()
        assert agent.ended(30) == 1
        assert "join token does not exist or has already been used" in agent.said
        assert "finial token create" in agent.said.splitlines()[-1]


def test_a_restarted_agent_serves_without_a_server(place: Path) -> None:
    """What an agent knows survives its restart: bundles and entries are there at once."""
    server = ServerProgram(place / "ca", {"default_x509_svid_ttl": 60, "agent_ttl": 60})
    agent = AgentProgram(place / "agent", {"hold": 1}, join=place / "join")
    with closing(server, agent):
        server.begin()
        (place / "join").write_text(server.token()["join"])
        agent_id = agent.begin().agent_id
        server.entry(agent_id, "/w")
        eventually(lambda: serves(agent), 10)
        keep_port(server)
        server.stop()
        agent.stop()
        (place / "join").unlink()
        status = agent.begin()
        assert (status.agent_id, status.connected, status.entries) == (agent_id, False, 1)
        known = finial("fetch", "bundles", "--socket", f"unix://{agent.workload_socket}")
        assert (known.returncode, "example.org" in known.stdout) == (0, True), known.stderr
        # Its workloads' keys are in memory alone, so their SVIDs wait for the server.
        assert is_not_yet_signed(agent)
        server.begin()
        eventually(lambda: serves(agent), 30, "its SVIDs are signed again")


def test_an_agent_that_was_stopped_heals_within_seconds(place: Path) -> None:
    """After SIGSTOP for longer than an SVID lives the agent renews what is due within seconds."""
    nodes = NodeCa.made_in(place / "nodes")
    server = ServerProgram(place / "ca", {**SHORT, "ca_ttl": 60}, nodes.server)
    with closing(server):
        server.begin()
        agent = x509pop_agent(place, server, nodes)
        with closing(agent):
            server.entry(agent.begin().agent_id, "/w")
            eventually(lambda: serves(agent), 10)
            with Subscriber(agent.workload_socket).open() as subscriber:
                eventually(lambda: subscriber.received, 10)
                for seconds in (3.0, 7.0):
                    agent.process.send_signal(signal.SIGSTOP)
                    time.sleep(seconds)
                    before = subscriber.serials
                    agent.process.send_signal(signal.SIGCONT)
                    eventually(lambda before=before: subscriber.serials - before, 5, agent.said)
            eventually(lambda: serves(agent), 5)
            assert "Traceback" not in agent.said + server.said


def test_a_server_that_lost_its_keys_is_followed(place: Path) -> None:
    """Its next authority is unknown to its agents: the bundle file vouches for it, at once."""
    nodes = NodeCa.made_in(place / "nodes")
    server = ServerProgram(place / "ca", {}, nodes.server)
    with closing(server):
        server.begin()
        agent = x509pop_agent(place, server, nodes)
        with closing(agent):
            agent_id = agent.begin().agent_id
            server.entry(agent_id, "/w")
            eventually(lambda: serves(agent), 10)
            keep_port(server)
            server.stop()
            shutil.rmtree(server.folder / "private" / "keys")
            server.begin()
            server.entry(agent_id, "/x")
            eventually(lambda: len(fetch(agent.workload_socket)) == 2, 30, agent.said)
            assert "has authorities anew" in agent.said
            assert agent.said.count("attested as") <= 1
            assert "Traceback" not in agent.said + server.said


def test_a_second_start_goes_on_whatever_time_has_passed(place: Path) -> None:
    """`finial up` on the same folder goes on with agent and entries after all SVIDs have ended."""
    flags = ("--svid-ttl=2s", "--ca-ttl=4s")
    with up(*flags, folder=place / "d") as first:
        made = first.register("/w", "unix:uid:0")
        agent_id = first["agent_id"]
        bundle = Path(first["bundle_path"]).read_bytes()
    time.sleep(6)
    with up(*flags, folder=place / "d") as second:
        assert second["agent_id"] == agent_id
        listed = second.finial("entry", "list")["items"]
        assert [each["id"] for each in listed] == [made["id"]]
        assert Path(second["bundle_path"]).read_bytes() != bundle
        socket = Path(second["workload_socket"])
        eventually(lambda: status_of(lambda: fetch(socket)) is OK, 10, "the SVID is signed again")


def test_nothing_needs_a_restart_to_rotate(place: Path) -> None:
    """The CA, the server's certificate and the agent's SVID follow each other under one process."""
    nodes = NodeCa.made_in(place / "nodes")
    server = ServerProgram(place / "ca", SHORT, nodes.server)
    with closing(server):
        server.begin()
        agent = x509pop_agent(place, server, nodes)
        with closing(agent):
            server.entry(agent.begin().agent_id, "/w")
            eventually(lambda: serves(agent), 10)
            pids, serial = (server.pid, agent.pid), agent.synced().svid_serial
            with Subscriber(agent.workload_socket).open() as subscriber:
                eventually(lambda: len(issuers(subscriber)) >= 3, 40, "three authorities signed")
                assert subscriber.ends == []
            assert agent.synced().svid_serial != serial
            assert (server.pid, agent.pid) == pids
            assert server.runs
            listed = finial("healthcheck", "--server", f"unix://{server.admin_socket}")
            assert listed.returncode == 0


def issuers(subscriber: Subscriber) -> set[bytes]:
    return {
        leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        or b""
        for _, leaf in subscriber.received
    }


def test_sigterm_ends_streams_with_unavailable(place: Path) -> None:
    """Both programs end their streams with Unavailable and exit with 0."""
    server = ServerProgram(place / "ca")
    agent = AgentProgram(place / "agent", {"log_level": "info"}, join=place / "join")
    with closing(server, agent):
        server.begin()
        (place / "join").write_text(server.token()["join"])
        server.entry(agent.begin().agent_id, "/w")
        eventually(lambda: serves(agent), 10)
        with Subscriber(agent.workload_socket).open() as subscriber:
            eventually(lambda: subscriber.received, 10)
            assert server.stop() == 0
            eventually(lambda: "the server is shutting down" in agent.said, 10, agent.said)
            assert subscriber.ends == []
            assert agent.stop() == 0
            eventually(lambda: subscriber.ends, 10)
            assert subscriber.ends[0][0] is UNAVAILABLE
            assert "shutting down" in subscriber.ends[0][1]
        assert "Traceback" not in agent.said + server.said
        assert not list(agent.folder.rglob("*.sock"))
