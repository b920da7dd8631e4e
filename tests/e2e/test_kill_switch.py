"""The kill switch with real programs: blocked within moments, over restarts, and given back."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from finial.wire.join_string import JoinString, split_address
from finial.wire.pb import workload_pb2
from tests.doubles.node_ca import NodeCa
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import eventually, finial, short_folder, up
from tests.doubles.workload import SECURITY, Subscriber, fetch, fetch_jwt, refusal_of, status_of

pytestmark = pytest.mark.slow
OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
ORDERS = "spiffe://example.org/orders"
REASON = "key leaked"


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def ask(socket: Path, name: str, request: Any, response: Any) -> Any:
    """The first answer of an RPC of the Workload API."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_stream(
            f"/SpiffeWorkloadAPI/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return next(iter(call(request, metadata=SECURITY, timeout=10)))


def validate(socket: Path, token: str) -> Any:
    request = workload_pb2.ValidateJWTSVIDRequest(audience="shop", svid=token)
    return ask(socket, "ValidateJWTSVID", request, workload_pb2.ValidateJWTSVIDResponse)


def revocation_lists(socket: Path) -> list[x509.CertificateRevocationList]:
    request = workload_pb2.X509BundlesRequest()
    answer = ask(socket, "FetchX509Bundles", request, workload_pb2.X509BundlesResponse)
    return [x509.load_der_x509_crl(each) for each in answer.crl]


def pair(place: Path) -> tuple[ServerProgram, AgentProgram]:
    """A server that serves, on a port that it keeps, and an agent that can prove its node."""
    nodes = NodeCa.made_in(place / "nodes")
    server = ServerProgram(place / "ca", {}, nodes.server)
    server.begin()
    host, port = split_address(JoinString.parse(server.token()["join"]).servers[0])
    server.settings["bind_port"] = port
    settings = {
        "trust_domain": "example.org",
        "server_address": host,
        "server_port": port,
        "trust_bundle_path": str(server.folder / "bundle.pem"),
    }
    return server, AgentProgram(place / "agent", settings, nodes.agent)


def block(server: ServerProgram, kind: str, subject: str) -> str:
    """Block something; return the block's id once the agents that listen enforce it."""
    wish = {"kind": kind, "subject": subject, "reason": REASON}
    made = server.rest("POST", "/v1/blocks", json=wish, params={"wait": 5})
    assert made.status_code == 201, made.text
    block_id: str = made.json()["block"]["id"]
    return block_id


def unblock(server: ServerProgram, block_id: str) -> None:
    assert server.rest("DELETE", f"/v1/blocks/{block_id}").status_code < 300


def test_a_blocked_identity_is_out_of_open_streams_when_the_command_returns() -> None:
    """WAPI-28: streams end, tokens are neither given nor accepted, the CRL names the SVID."""
    with up() as here:
        entry = here.register("/orders", "unix:uid:0")
        socket = Path(here["workload_socket"])
        [(_, leaf)] = eventually(lambda: status_of(lambda: fetch(socket)) is OK and fetch(socket))
        [(_, token)] = fetch_jwt(socket, "shop")
        assert validate(socket, token).spiffe_id == ORDERS
        with Subscriber(socket).open() as subscriber:
            eventually(lambda: bool(subscriber.received))
            begun = time.monotonic()
            made = here.finial("block", ORDERS, "--reason", REASON)
            eventually(lambda: bool(subscriber.ends), 1)
            assert time.monotonic() - begun < 5
            code, said = subscriber.ends[0]
            assert (code, REASON in said) == (DENIED, False)
        assert made["reception"]["applied"] == [here["agent_id"]]
        assert made["reception"]["seconds"] < 1
        block_id = made["block"]["id"]
        assert status_of(lambda: fetch_jwt(socket, "shop")) is DENIED
        assert status_of(lambda: validate(socket, token)) is INVALID
        code, said = refusal_of(lambda: fetch(socket))
        assert (code, "is blocked" in said) == (DENIED, True)
        told = here.finial("explain", "--refusal", said.rpartition("--refusal ")[2])
        [cause] = told["causes"]
        assert entry["id"] in cause
        assert f"{REASON} (block {block_id})" in cause
        assert told["fixes"][0]["command"] == f"finial unblock {block_id}"
        checks = finial("doctor", "--dir", str(here.folder)).stdout
        assert "1 block, version" in checks
        here.finial("unblock", block_id)
        [(_, fresh)] = eventually(lambda: status_of(lambda: fetch(socket)) is OK and fetch(socket))
        assert fresh.public_key() != leaf.public_key()


def test_a_block_outlives_a_killed_server_and_a_killed_agent(place: Path) -> None:
    """Nobody but a server that unblocks it gives the identity back, and then without a restart."""
    server, agent = pair(place)
    with closing(server, agent):
        agent_id = agent.begin().agent_id
        server.entry(agent_id, "/orders")
        socket = agent.workload_socket
        [(_, leaf)] = eventually(lambda: status_of(lambda: fetch(socket)) is OK and fetch(socket))
        [(_, token)] = fetch_jwt(socket, "shop")
        block_id = block(server, "spiffe_id", ORDERS)
        other = server.entry(agent_id, "/other")["id"]
        # Whoever is blocked sees nothing; another identity of the same process sees the list.
        eventually(lambda: status_of(lambda: fetch(socket)) is OK)
        [crl] = revocation_lists(socket)
        server.rest("DELETE", f"/v1/entries/{other}")
        eventually(lambda: status_of(lambda: fetch(socket)) is DENIED)
        assert crl.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
        server.kill()
        agent.kill()
        agent.start()
        held = agent.synced()
        assert (held.blocks, held.blocked_entries, held.connected) == (1, 1, False)
        code, said = refusal_of(lambda: fetch(socket))
        assert (code, "is blocked" in said) == (DENIED, True)
        assert status_of(lambda: validate(socket, token)) is INVALID
        server.begin()
        eventually(lambda: (agent.status() or held).connected, 60, "the agent is back")
        assert status_of(lambda: fetch(socket)) is DENIED
        unblock(server, block_id)
        eventually(lambda: status_of(lambda: fetch(socket)) is OK, 30, "it is served again")


def test_a_blocked_agent_serves_nobody_and_comes_back(place: Path) -> None:
    """Cut off, it gives up what it holds at once; unblocked, it serves again by itself."""
    server, agent = pair(place)
    with closing(server, agent):
        agent_id = agent.begin().agent_id
        server.entry(agent_id, "/orders")
        socket = agent.workload_socket
        eventually(lambda: status_of(lambda: fetch(socket)) is OK)
        with Subscriber(socket).open() as subscriber:
            eventually(lambda: bool(subscriber.received))
            block_id = block(server, "agent", agent_id)
            eventually(lambda: bool(subscriber.ends), 2, "the stream ends")
            assert subscriber.ends[0][0] is DENIED
        assert agent.runs
        eventually(lambda: (s := agent.status()) and s.locked_out == REASON, 60)
        unblock(server, block_id)
        eventually(lambda: status_of(lambda: fetch(socket)) is OK, 60, "it is let in again")
