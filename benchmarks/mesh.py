"""Two real Envoys, one beside a caller and one beside payment, before the agent of a peer."""

import http.client
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.peers import Peer
from tests.doubles import envoy_parts as parts
from tests.doubles.envoy import Envoy, envoys

ORDERS, PAYMENT = "spiffe://example.org/orders", "spiffe://example.org/payment"
WAYS = ("plain", "mtls", "guarded")
"""Without TLS; with certificates by SDS; and with a question to the agent besides."""

_AUTHZ = f"{parts.FILTERS}.http.ext_authz.v3.ExtAuthz"


@dataclass
class Mesh:
    """The Envoy beside the caller, and the server's administration."""

    calling: Envoy
    server: httpx.Client

    def caller(self, way: str) -> http.client.HTTPConnection:
        """A connection to the caller's Envoy, which is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.calling.port(way), timeout=30)


def status(connection: http.client.HTTPConnection) -> int:
    """Call payment once, and say what came of it."""
    connection.request("POST", "/transaction/1", body=b"")
    response = connection.getresponse()
    response.read()
    return response.status


@contextmanager
def mesh(peer: Peer) -> Iterator[Mesh]:
    """Register both services and a rule, and start both Envoys."""
    folder = Path(tempfile.mkdtemp(prefix="finial-bench-"))
    admin_socket = str(Path(peer.server_socket).with_name("admin.sock"))
    transport = httpx.HTTPTransport(uds=admin_socket)
    try:
        with httpx.Client(transport=transport, base_url="http://ca", timeout=60) as server:
            for name in ("orders", "payment"):
                _register(server, peer, name)
            _allow(server)
            called = Envoy(folder, "payment", _payment(peer.workload_socket))
            with envoys(called):
                ports = {way: called.port(way) for way in WAYS}
                calling = Envoy(folder, "orders", _orders(peer.workload_socket, ports))
                with envoys(calling):
                    made = Mesh(calling, server)
                    _until_allowed(made)
                    yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _register(server: httpx.Client, peer: Peer, name: str) -> None:
    wish = {
        "spiffe_id": f"spiffe://example.org/{name}",
        "parent_id": f"spiffe://example.org{peer.agent_path}",
        "selectors": [f"unix:uid:{os.geteuid()}"],
    }
    server.post("/v1/entries", json=wish).raise_for_status()


def _allow(server: httpx.Client) -> None:
    rule = {
        "name": "orders may charge",
        "from": ORDERS,
        "to": PAYMENT,
        "methods": ["POST"],
        "paths": ["/transaction/*"],
    }
    server.post("/v1/policies", json={"rule": rule}).raise_for_status()
    server.put("/v1/callees/payment", json={"mode": "enforce"}).raise_for_status()


def _until_allowed(made: Mesh) -> None:
    connection, deadline = made.caller("guarded"), time.monotonic() + 30
    while status(connection) != 200:
        if time.monotonic() > deadline:
            raise TimeoutError("payment cannot be called")
        time.sleep(0.05)
    connection.close()


def _payment(workload_socket: str) -> Any:
    asks = {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": _AUTHZ,
            "transport_api_version": "V3",
            "include_peer_certificate": True,
            "grpc_service": {"envoy_grpc": {"cluster_name": parts.AGENT}, "timeout": "5s"},
        },
    }
    guarded = parts.answers("paid")
    guarded["typed_per_filter_config"] = {
        "envoy.filters.http.ext_authz": {
            "@type": f"{_AUTHZ}PerRoute",
            "check_settings": {"context_extensions": {"callee": PAYMENT}},
        }
    }
    tls = parts.downstream(parts.tls_context(PAYMENT, "ROOTCA"))
    return parts.resources(
        [
            parts.listener("plain", [parts.answers("paid")]),
            parts.listener("mtls", [parts.answers("paid")], tls=tls),
            parts.listener("guarded", [guarded], tls=tls, http_filters=[asks, parts.ROUTER]),
        ],
        [parts.agent_cluster(workload_socket)],
    )


def _orders(workload_socket: str, ports: dict[str, int]) -> Any:
    context = parts.tls_context(ORDERS, "ROOTCA", peers=[PAYMENT])
    clusters = [
        parts.tcp_cluster(way, port, tls=None if way == "plain" else parts.upstream(context))
        for way, port in ports.items()
    ]
    listeners = [parts.listener(way, [parts.to(way)]) for way in ports]
    return parts.resources(listeners, [parts.agent_cluster(workload_socket), *clusters])
