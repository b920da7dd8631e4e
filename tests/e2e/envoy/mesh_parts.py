"""Two Envoys, one before payment and one for its callers, beside an agent in this process."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doubles.access import CHARGE, ORDERS, OWN, PAYMENT, policies
from tests.doubles.envoy import Envoy, envoys
from tests.doubles.envoy_parts import (
    AGENT,
    FILTERS,
    ROUTER,
    Part,
    agent_cluster,
    answers,
    downstream,
    listener,
    pipe_cluster,
    resources,
    tcp_cluster,
    tls_context,
    to,
    upstream,
)
from tests.doubles.running_agent import RunningAgent, Scene
from tests.flows.agent_scenes import ME
from tests.flows.deciding_scenes import deciding

GATEWAY = f"{OWN}/gateway"
EXT_AUTHZ = f"{FILTERS}.http.ext_authz.v3"


def by_grpc() -> Part:
    """The filter that asks the agent by gRPC; the route says for which identity."""
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": f"{EXT_AUTHZ}.ExtAuthz",
            "transport_api_version": "V3",
            "include_peer_certificate": True,
            "grpc_service": {"envoy_grpc": {"cluster_name": AGENT}, "timeout": "5s"},
        },
    }


def by_http(callee: str) -> Part:
    """The filter that asks the agent by HTTP."""
    named = {"header": {"key": "x-finial-callee", "value": callee}}
    exact = [{"exact": "x-forwarded-client-cert"}, {"exact": "x-finial-callee"}]
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": f"{EXT_AUTHZ}.ExtAuthz",
            "transport_api_version": "V3",
            "allowed_headers": {"patterns": exact},
            "http_service": {
                "server_uri": {"uri": "http://agent", "cluster": "authz", "timeout": "5s"},
                "authorization_request": {"headers_to_add": [named["header"]]},
                "authorization_response": {
                    "allowed_upstream_headers": {"patterns": [{"exact": "x-spiffe-caller"}]},
                    "allowed_client_headers": {"patterns": [{"exact": "x-finial-reason"}]},
                },
            },
        },
    }


def guarded(name: str, asks: Part, *, tls: bool, callee: str = PAYMENT) -> Part:
    """A listener of payment's Envoy, whose route says who called."""
    route = answers("paid", caller="%REQ(x-spiffe-caller)%%REQ(x_spiffe_caller)%")
    route["typed_per_filter_config"] = {
        "envoy.filters.http.ext_authz": {
            "@type": f"{EXT_AUTHZ}.ExtAuthzPerRoute",
            "check_settings": {"context_extensions": {"callee": callee}},
        }
    }
    return listener(
        name,
        [route],
        tls=downstream(tls_context(callee, "ROOTCA")) if tls else None,
        http_filters=[asks, ROUTER],
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"uri": True},
        max_request_headers_kb=4096,
    )


@dataclass
class Mesh:
    """The agent, both Envoys, and a way to call payment as somebody."""

    played: Scene
    agent: RunningAgent
    payment: Envoy
    callers: Envoy
    ports: dict[str, int] = field(default_factory=dict)

    async def call(
        self, who: str, path: str = "/transaction/1", verb: str = "POST", **headers: str
    ) -> "Answered":
        """Call payment as orders or gateway, or its plain listener itself."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(request, self.ports[who], verb, path, named)


@dataclass
class Answered:
    status: int
    body: str
    headers: dict[str, str]

    @property
    def reason(self) -> str:
        return self.headers.get("x-finial-reason", "")

    @property
    def caller(self) -> str:
        return self.headers.get("x-caller", "")


def request(port: int, verb: str, path: str, headers: dict[str, str]) -> Answered:
    """One request exactly as it is given; nothing of the path is tidied up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(verb, path, skip_accept_encoding=True)
        for name, value in {"content-length": "0", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, response.read().decode(), found)
    finally:
        connection.close()


@asynccontextmanager
async def mesh(played: Scene, **settings: Any) -> AsyncIterator[Mesh]:
    """An agent with rules for payment, and Envoys that got their identities from it."""
    for name in ("payment", "orders", "gateway"):
        played.server.entry(name[0], f"/{name}", ME)
    http_socket = played.folder / "authz.sock"
    settings = {
        "ext_authz": {"http_socket_path": str(http_socket), "trusted_envoys": [PAYMENT]},
        **settings,
    }
    async with deciding(played, policies(1, None, CHARGE), **settings) as agent:
        workload = played.folder / "d/workload/workload.sock"
        payment = Envoy(played.folder, "payment", payment_resources(workload, http_socket))
        async with served(payment):
            ports = {
                name: await asyncio.to_thread(payment.port, name)
                for name in ("mtls", "plain", "http")
            }
            callers = Envoy(played.folder, "callers", caller_resources(workload, ports))
            async with served(callers):
                for name in ("orders", "gateway", "orders-http"):
                    ports[name] = await asyncio.to_thread(callers.port, name)
                yield Mesh(played, agent, payment, callers, ports)


@asynccontextmanager
async def served(envoy: Envoy) -> AsyncIterator[None]:
    """Run an Envoy whose agent runs in this very loop."""
    running = envoys(envoy)
    await asyncio.to_thread(running.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def payment_resources(workload: Path, http_socket: Path) -> Any:
    return resources(
        [
            guarded("mtls", by_grpc(), tls=True),
            guarded("plain", by_grpc(), tls=False),
            guarded("http", by_http(PAYMENT), tls=True),
        ],
        [agent_cluster(workload), pipe_cluster("authz", http_socket)],
    )


def caller_resources(workload: Path, ports: dict[str, int]) -> Any:
    listeners, clusters = [], [agent_cluster(workload)]
    for name, who, port in (
        ("orders", ORDERS, ports["mtls"]),
        ("gateway", GATEWAY, ports["mtls"]),
        ("orders-http", ORDERS, ports["http"]),
    ):
        context = tls_context(who, "ROOTCA", peers=[PAYMENT])
        clusters.append(tcp_cluster(name, port, tls=upstream(context)))
        listeners.append(listener(name, [to(name)], max_request_headers_kb=4096))
    return resources(listeners, clusters)
