"""What an Envoy's configuration is made of, as plain values that become JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Part = dict[str, Any]

TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
FILTERS = "type.googleapis.com/envoy.extensions.filters"
AGENT = "agent"
"""The name of the cluster that is the agent's socket."""


def agent_cluster(workload_socket: str | Path) -> Part:
    """The agent's Workload API socket, which also gives secrets and decides about access."""
    cluster = pipe_cluster(AGENT, workload_socket)
    cluster["typed_extension_protocol_options"] = http_options({"http2_protocol_options": {}})
    return cluster


def secret(name: str, form: str = "GRPC", **changes: Any) -> Part:
    """A secret by discovery; `form` is GRPC (state of the world) or DELTA_GRPC."""
    source = {
        "api_type": form,
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": AGENT}}],
    }
    return {
        "name": name,
        "sds_config": {"resource_api_version": "V3", "api_config_source": source, **changes},
    }


def tls_context(
    certificate: str,
    trusted: str,
    form: str = "GRPC",
    *,
    peers: Sequence[str] = (),
    alpn: Sequence[str] = (),
    **changes: Any,
) -> Part:
    """Certificate and trust by discovery; `peers` are the SPIFFE IDs that are accepted."""
    discovered = secret(trusted, form, **changes)
    trust: Part = {"validation_context_sds_secret_config": discovered}
    if peers:
        matchers = [{"san_type": "URI", "matcher": {"exact": each}} for each in peers]
        trust = {
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": matchers},
                "validation_context_sds_secret_config": discovered,
            }
        }
    return {
        "tls_certificate_sds_secret_configs": [secret(certificate, form, **changes)],
        # A client's default ends at 1.2.
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "alpn_protocols": list(alpn),
        **trust,
    }


def downstream(context: Part) -> Part:
    """Have a listener speak mTLS."""
    config = {
        "@type": f"{TLS}.DownstreamTlsContext",
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": context,
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def upstream(context: Part) -> Part:
    """Have a cluster speak mTLS."""
    config = {
        "@type": f"{TLS}.UpstreamTlsContext",
        "max_session_keys": 0,
        "common_tls_context": context,
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def listener(name: str, routes: Sequence[Part], *, tls: Part | None = None, **http: Any) -> Part:
    """An HTTP listener on a free port of 127.0.0.1; `http` goes into its connection manager."""
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": list(routes)}]
        },
        "http_filters": [ROUTER],
        **http,
    }
    chain: Part = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }
    if tls is not None:
        chain["transport_socket"] = tls
    return {"name": name, "address": tcp("127.0.0.1", 0), "filter_chains": [chain]}


ROUTER: Part = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
}


def answers(body: str = "", status: int = 200, **headers: str) -> Part:
    """A route that answers by itself; in headers, Envoy fills in what is between percent signs."""
    added = [{"header": {"key": f"x-{name}", "value": value}} for name, value in headers.items()]
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": body or "well"}},
        "response_headers_to_add": added,
    }


def to(cluster: str, prefix: str = "/", timeout: str = "10s") -> Part:
    """A route to a cluster."""
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": timeout}}


def tcp_cluster(
    name: str, port: int, *, tls: Part | None = None, one_request: bool = False
) -> Part:
    """An upstream on 127.0.0.1; `one_request` has a new handshake made for each request."""
    cluster = _cluster(name, tcp("127.0.0.1", port))
    if tls is not None:
        cluster["transport_socket"] = tls
    common = {"max_requests_per_connection": 1} if one_request else {}
    cluster["typed_extension_protocol_options"] = http_options(
        {"http_protocol_options": {}}, common
    )
    return cluster


def pipe_cluster(name: str, path: str | Path) -> Part:
    """An upstream on a Unix socket."""
    return _cluster(name, {"pipe": {"path": str(path)}})


def http_options(explicit: Part, common: Part | None = None) -> Part:
    """Which HTTP an upstream speaks."""
    options: Part = {"@type": HTTP, "explicit_http_config": explicit}
    if common:
        options["common_http_protocol_options"] = common
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


def tcp(address: str, port: int) -> Part:
    """An address."""
    return {"socket_address": {"address": address, "port_value": port}}


def resources(listeners: Sequence[Part], clusters: Sequence[Part]) -> Mapping[str, Any]:
    """All that an Envoy is given at its start."""
    return {"listeners": list(listeners), "clusters": list(clusters)}


def _cluster(name: str, address: Part) -> Part:
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
