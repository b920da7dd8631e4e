"""The agent's configuration as frozen values; keys bear SPIRE's names where SPIRE has them.

A file has a table `[agent]`, with `[agent.sds]`, and a table `[plugins.<type>.<name>]` for each
plugin.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from finial.keys.contract import KeyType
from finial.runtime import settings
from finial.runtime.duration import Duration
from finial.runtime.settings import SettingsError, at_least, between, setting
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal
from finial.wire.unix_socket import LONGEST_PATH

DEFAULT_PORT: Final = 8081
DEFAULT_WORKLOAD_ATTESTOR: Final = "unix"
_PLUGIN_TYPES: Final = ("key_manager", "node_attestor", "workload_attestor")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2}){31}", re.ASCII)


def _trust_domain(value: str) -> str | None:
    try:
        TrustDomain.parse(value)
    except Refusal as refusal:
        return f"is wrong: {refusal.detail}"
    return None


def _sha256(value: str) -> str | None:
    return None if _SHA256.fullmatch(value) else "is no SHA-256 in hex (64 digits)"


def _positive(value: float) -> str | None:
    return None if value > 0 else "is 0, and has to be longer"


@dataclass(frozen=True, slots=True)
class Sds:
    """The table `[agent.sds]`: by which names an Envoy asks for what has no SPIFFE ID.

    Without SPIFFE validation an Envoy gets a plain list of authorities to verify peers by, and
    looks at no trust domain itself.
    """

    default_svid_name: str = "default"
    default_bundle_name: str = "ROOTCA"
    default_all_bundles_name: str = "ALL"
    disable_spiffe_cert_validation: bool = False

    def __post_init__(self) -> None:
        names = {
            "default_svid_name": self.default_svid_name,
            "default_bundle_name": self.default_bundle_name,
            "default_all_bundles_name": self.default_all_bundles_name,
        }
        for key, name in names.items():
            if not name or name == "*" or name.startswith("spiffe://"):
                raise ValueError(f"{key} is {name!r}, and no name of its own")
        if len(set(names.values())) < len(names):
            raise ValueError(f"{', '.join(names)} are not all different")


# With more dashes there are too many ways to spell it with underscores, which are all taken away.
_CALLER_HEADER: Final = re.compile(r"(?:x(?:-[a-z0-9]{1,32}){1,4})?", re.ASCII)


def _header(value: str) -> str | None:
    return None if _CALLER_HEADER.fullmatch(value) else "is no header's name like x-spiffe-caller"


def _spiffe_ids(values: tuple[str, ...]) -> str | None:
    for each in values:
        try:
            SpiffeId.parse(each)
        except Refusal as refusal:
            return f"names {each[:80]!a}: {refusal.detail}"
    return None


@dataclass(frozen=True, slots=True)
class ExtAuthz:
    """The table `[agent.ext_authz]`: how proxies ask who may call whom.

    The gRPC form is on the workloads' socket; the HTTP form has one of its own, if
    `http_socket_path` names it. When the caller is one of the `trusted_proxies`, what it says of
    its own client's certificate is believed. The HTTP form knows of certificates by a header alone,
    which is believed of the `trusted_envoys` that ask. `caller_header` tells the callee who calls
    (empty for none). Rules that no server has confirmed for longer than `rules_max_age` allow
    nothing; 0 is for ever.
    """

    http_socket_path: Path | None = None
    trusted_proxies: tuple[str, ...] = setting((), check=_spiffe_ids)
    trusted_envoys: tuple[str, ...] = setting((), check=_spiffe_ids)
    caller_header: str = setting("x-spiffe-caller", check=_header)
    rules_max_age: Duration = 0.0


@dataclass(frozen=True, slots=True)
class Agent:
    """The table `[agent]`; durations are seconds here and `5s` or `1h30m` in a file.

    `metrics_file` is written every 15 seconds in Prometheus' text format, for a collector of text
    files (its name ends in `.prom`): an agent opens no port.

    One of `required_workload_attestors` that fails makes the caller wait, where others' failure
    costs it their selectors alone.

    Trust in the server comes from one of `join_file`, `trust_bundle_path`, `trust_bundle_sha256`
    (of an authority's certificate) and `insecure_bootstrap`; a bundle that was stored already is
    used first.
    """

    trust_domain: str = setting("", check=lambda value: _trust_domain(value) if value else None)
    server_address: str | tuple[str, ...] = ()
    server_port: int = setting(DEFAULT_PORT, check=between(1, 65_535))
    data_dir: Path = Path("/var/lib/finial/agent")
    socket_path: Path | None = None
    admin_socket_path: Path | None = None
    join_file: Path | None = None
    join_token_file: Path | None = None
    trust_bundle_path: Path | None = None
    trust_bundle_format: Literal["pem", "spiffe"] = "pem"
    trust_bundle_sha256: str = setting("", check=lambda value: _sha256(value) if value else None)
    insecure_bootstrap: bool = False
    workload_x509_svid_key_type: KeyType = KeyType.EC_P256
    x509_svid_cache_max_size: int = setting(1000, check=at_least(0))
    jwt_svid_cache_max_size: int = setting(1000, check=at_least(1))
    allow_unauthenticated_verifiers: bool = False
    allowed_foreign_jwt_claims: tuple[str, ...] = ()
    connections_per_uid: int = setting(2048, check=at_least(1))
    streams_per_connection: int = setting(100, check=at_least(1))
    streams_per_uid: int = setting(4096, check=at_least(1))
    sync_interval: Duration = setting(5.0, check=_positive)
    safety_poll: Duration = setting(300.0, check=_positive)
    attestation_timeout: Duration = setting(10.0, check=_positive)
    required_workload_attestors: tuple[str, ...] = ()
    hold: Duration = setting(30.0, check=_positive)
    sds: Sds = field(default_factory=Sds)
    ext_authz: ExtAuthz = field(default_factory=ExtAuthz)
    audit_log: Path | None = None
    metrics_file: Path | None = None
    log_level: Literal["debug", "info", "warn", "error", "DEBUG", "INFO", "WARN", "ERROR"] = "info"
    log_format: Literal["text", "json"] = "text"

    def __post_init__(self) -> None:
        for path in (self.workload_socket, self.admin_socket):
            if len(str(path).encode()) > LONGEST_PATH:
                raise ValueError(
                    f"the socket path {path} is longer than {LONGEST_PATH} bytes: "
                    "choose a shorter data_dir, socket_path or admin_socket_path"
                )
        if self.workload_socket.parent in self.admin_socket.parents:
            raise ValueError(
                "admin_socket_path lies in the folder of socket_path, which containers mount"
            )
        http = self.ext_authz.http_socket_path
        if http is not None and len(str(http).encode()) > LONGEST_PATH:
            raise ValueError(f"ext_authz.http_socket_path is longer than {LONGEST_PATH} bytes")
        sources = {
            "join_file": self.join_file,
            "trust_bundle_path": self.trust_bundle_path,
            "trust_bundle_sha256": self.trust_bundle_sha256,
            "insecure_bootstrap": self.insecure_bootstrap,
        }
        named = [name for name, value in sources.items() if value]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are given, and trust comes from one of them")
        if self.join_file and self.join_token_file:
            raise ValueError("join_file and join_token_file are given, and one token is enough")

    @property
    def workload_socket(self) -> Path:
        """The Workload API, alone in its folder because that folder is what containers mount."""
        return self.socket_path or self.data_dir / "workload" / "workload.sock"

    @property
    def admin_socket(self) -> Path:
        """The operators' API."""
        return self.admin_socket_path or self.data_dir / "agent.sock"

    @property
    def private_dir(self) -> Path:
        """Where everything lies that nobody else may read."""
        return self.data_dir / "private"

    @property
    def storage_dir(self) -> Path:
        """What survives a restart of the agent."""
        return self.private_dir / "agent"

    @property
    def audit_path(self) -> Path:
        """The audit log, one JSON object a line."""
        return self.audit_log or self.private_dir / "agent-audit.log"

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers' addresses as `host:port`, tried in turn; empty if a join file names them."""
        given = self.server_address
        hosts = (given,) if isinstance(given, str) else given
        return tuple(_with_port(host, self.server_port) for host in hosts if host)


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration file."""

    agent: Agent
    plugins: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.plugins) - set(_PLUGIN_TYPES)
        if unknown:
            raise ValueError(
                f"plugins.{min(unknown)} is unknown: there are {', '.join(_PLUGIN_TYPES)}"
            )
        runs = self.plugin("workload_attestor") or (DEFAULT_WORKLOAD_ATTESTOR,)
        for name in self.agent.required_workload_attestors:
            if name not in runs:
                raise ValueError(
                    f"agent.required_workload_attestors names {name}, which does not run: there "
                    f"are {', '.join(runs)}"
                )
        for kind in ("key_manager", "node_attestor"):
            if len(self.plugin(kind)) > 1:
                raise ValueError(f"plugins.{kind} names more than one, and an agent has one")

    def plugin(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The plugins of one type by name, each with its table."""
        return self.plugins.get(kind, {})


def load(path: Path) -> Settings:
    """Read a configuration file.

    Raises: SettingsError with everything that is wrong in it.
    """
    return read(settings.read_toml(path))


def read(table: Mapping[str, Any]) -> Settings:
    """Read a configuration that was parsed already.

    Raises: SettingsError with everything that is wrong in it.
    """
    if "agent" not in table:
        raise SettingsError(("the table [agent] is missing",))
    return settings.load(Settings, table, "")


def _with_port(host: str, port: int) -> str:
    # An IPv6 address has colons of its own, and brackets where a port follows it.
    if host.startswith("["):
        return host if "]:" in host else f"{host}:{port}"
    if host.count(":") > 1:
        return f"[{host}]:{port}"
    return host if ":" in host else f"{host}:{port}"
