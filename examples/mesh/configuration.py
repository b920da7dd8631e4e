"""What each Envoy is told: where it listens, whom it calls, and to ask the agent about everything.

Certificates and trust come by secret discovery from the agent's socket (`default` is the only
identity that an Envoy has here, `ROOTCA` what it trusts), and who may call is asked on the same
socket (ext_authz), with the caller's certificate, so that a blocked serial number is refused, too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

TRUST_DOMAIN = "shop.example"
TYPES = "type.googleapis.com"
FILTERS = f"{TYPES}/envoy.extensions.filters"
TLS = f"{TYPES}/envoy.extensions.transport_sockets.tls.v3"
HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# A connection outlives the certificate that it began with, so it is replaced from time to time.
CONNECTION_LIVES = "3s"

PEER = "peer"
"""Under which name an Envoy remembers for a connection who the caller proved to be."""


def spiffe_id(name: str) -> str:
    """The SPIFFE ID of one of the shop's services."""
    return f"spiffe://{TRUST_DOMAIN}/{name}"


def envoy(
    name: str,
    agent: Path,
    private: Path,
    *,
    listeners: Sequence[dict],
    clusters: Sequence[dict],
) -> dict:
    """Put an Envoy's whole configuration together."""
    agent_cluster = pipe("agent", agent)
    agent_cluster["typed_extension_protocol_options"] = _http2()
    return {
        "node": {"id": name, "cluster": "shop"},
        "admin": {"address": {"pipe": {"path": str(private / "admin.sock"), "mode": 0o600}}},
        "static_resources": {
            "listeners": list(listeners),
            "clusters": [agent_cluster, *clusters],
        },
    }


def way_in(virtual_host: dict) -> dict:
    """Let in whom the agent lets in: mTLS first, then ext_authz; nothing gets past both."""
    tls = {
        "@type": f"{TLS}.DownstreamTlsContext",
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": _tls(["h2", "http/1.1"]),
    }
    return _listener(
        "in",
        {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        virtual_host,
        [_ext_authz()],
        tls,
    )


def way_out(path: Path, callees: Sequence[str]) -> dict:
    """Let the service out, and whoever else can reach the socket: its mode is the guard."""
    routes = [
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": ":authority", "string_match": {"exact": each}}],
            },
            "route": {"cluster": each, "timeout": "15s"},
        }
        for each in callees
    ]
    address = {"pipe": {"path": str(path), "mode": 0o660}}
    return _listener("out", address, {"name": "out", "domains": ["*"], "routes": routes}, [])


def to(cluster: str) -> dict:
    """Send everything one way."""
    routes = [_route(cluster)]
    return {"name": "in", "domains": ["*"], "routes": routes}


def by_caller(ways: Mapping[str, str], otherwise: str) -> dict:
    """Choose the upstream by the peer's SPIFFE ID as the handshake proved it, not by a header."""
    routes = []
    for spiffe_id_, cluster in ways.items():
        route = _route(cluster)
        is_caller = {"key": PEER, "string_match": {"exact": spiffe_id_}}
        route["match"]["filter_state"] = [is_caller]
        routes.append(route)
    return {"name": "in", "domains": ["*"], "routes": [*routes, _route(otherwise)]}


def peer(name: str, port: int) -> dict:
    """Another service's Envoy, believed only if it is who it should be."""
    tls = {
        "@type": f"{TLS}.UpstreamTlsContext",
        "max_session_keys": 0,
        "common_tls_context": _tls(["h2"], spiffe_id(name)),
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        **_cluster(name, address),
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "typed_extension_protocol_options": _http2(max_connection_duration=CONNECTION_LIVES),
    }


def pipe(name: str, path: Path) -> dict:
    """Something on a Unix socket."""
    return _cluster(name, {"pipe": {"path": str(path)}})


def _ext_authz() -> dict:
    asks = {
        "@type": f"{FILTERS}.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "include_peer_certificate": True,
        "failure_mode_allow": False,
        # What could not be decided is no denial: it is told apart by its status.
        "status_on_error": {"code": "ServiceUnavailable"},
        "grpc_service": {"envoy_grpc": {"cluster_name": "agent"}, "timeout": "5s"},
    }
    return {"name": "envoy.filters.http.ext_authz", "typed_config": asks}


def _route(cluster: str) -> dict:
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "15s"}}


def _listener(
    name: str, address: dict, virtual_host: dict, filters: list, tls: dict | None = None
) -> dict:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [virtual_host]},
        "http_filters": [*filters, router],
        # The service behind is handed the same path about which the agent was asked.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }
    manages = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    chain: dict = {"filters": [manages]}
    if tls is not None:
        chain["filters"].insert(0, _remembers_peer())
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return {"name": name, "address": address, "filter_chains": [chain]}


def _remembers_peer() -> dict:
    value = {
        "object_key": PEER,
        "factory_key": "envoy.string",
        "format_string": {
            "text_format_source": {"inline_string": "%DOWNSTREAM_PEER_URI_SAN%"},
        },
    }
    remembers = {
        "@type": f"{FILTERS}.network.set_filter_state.v3.Config",
        "on_downstream_tls_handshake": [value],
    }
    return {"name": "envoy.filters.network.set_filter_state", "typed_config": remembers}


def _tls(protocols: list[str], expected: str = "") -> dict:
    trusted = {"validation_context_sds_secret_config": _secret("ROOTCA")}
    if expected:
        matcher = {"san_type": "URI", "matcher": {"exact": expected}}
        trusted = {
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": [matcher]},
                **trusted,
            }
        }
    return {
        "tls_certificate_sds_secret_configs": [_secret("default")],
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "alpn_protocols": protocols,
        **trusted,
    }


def _secret(name: str) -> dict:
    source = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "agent"}}],
    }
    return {
        "name": name,
        "sds_config": {"resource_api_version": "V3", "api_config_source": source},
    }


def _cluster(name: str, address: dict) -> dict:
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _http2(**common: str) -> dict:
    options = {
        "@type": f"{TYPES}/{HTTP}",
        "explicit_http_config": {"http2_protocol_options": {}},
        **({"common_http_protocol_options": common} if common else {}),
    }
    return {HTTP: options}
