"""The server's configuration as frozen values; keys bear SPIRE's names where SPIRE has them.

A file has a table `[server]`, with `[server.ratelimit]`, `[server.rest]` and `[server.ca_subject]`
below it, tables `[oidc]` and `[status_hook]` where these are wanted, and a table
`[plugins.<type>.<name>]` for each plugin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from finial.keys.contract import KeyType
from finial.runtime import settings
from finial.runtime.duration import Duration
from finial.runtime.settings import SettingsError, at_least, setting
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.oidc import OidcIssuer, is_address, is_host
from finial.spiffe.refusal import Refusal
from finial.wire.unix_socket import LONGEST_PATH

DEFAULT_PORT: Final = 8081
UNIX: Final = "unix://"
_PLUGIN_TYPES: Final = ("key_manager", "node_attestor")


def _port(value: int) -> str | None:
    return None if 0 <= value < 65536 else f"is {value}, and a port is 0 to 65535"


def _trust_domain(value: str) -> str | None:
    try:
        TrustDomain.parse(value)
    except Refusal as refusal:
        return f"is wrong: {refusal.detail}"
    return None


def _listen(value: str) -> str | None:
    if value.startswith(UNIX) and value != UNIX:
        return None
    host, colon, port = value.rpartition(":")
    if host and colon and port.isascii() and port.isdigit() and int(port) < 65536:
        return None
    return f"is {value!r}, it must be host:port, or {UNIX} and a path"


def _issuer(value: str) -> str | None:
    try:
        OidcIssuer.parse(value)
    except Refusal as refusal:
        return f"is {value!r}: {refusal.detail}"
    return None


def _hosts(values: tuple[str, ...]) -> str | None:
    wrong = [value for value in values if not is_host(value)]
    return (
        f"holds {wrong[0]!r}, and a host is a name in lower case or an address" if wrong else None
    )


def _ids(values: tuple[str, ...]) -> str | None:
    try:
        for value in values:
            SpiffeId.parse(value)
    except Refusal as refusal:
        return f"holds {refusal.value!r}: {refusal.detail}"
    return None


def _selector_types(values: tuple[str, ...]) -> str | None:
    wrong = [value for value in values if not value.isprintable() or not value or ":" in value]
    return f"holds {wrong[0]!r}, and a type is a word without colons" if wrong else None


def _https(value: str) -> str | None:
    scheme, separator, rest = value.partition("://")
    if scheme == "https" and separator and rest and value.isprintable():
        return None
    return f"is {value!r}, and it must begin with https://"


def _positive(value: float) -> str | None:
    return None if value > 0 else "is 0, and a lifetime is longer"


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of our own authorities (SC-08)."""

    country: tuple[str, ...] = ("US",)
    organization: tuple[str, ...] = ("SPIFFE",)
    common_name: str = ""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Calls a second and client address; 0 means no limit (RL-01 to RL-05)."""

    attestation: float = setting(1.0, check=at_least(0))
    bootstrap: float = setting(1.0, check=at_least(0))
    signing: float = setting(500.0, check=at_least(0))
    renewal: float = setting(500.0, check=at_least(0))
    status: float = setting(10.0, check=at_least(0))


@dataclass(frozen=True, slots=True)
class Rest:
    """The administrators' REST API: always on `admin_socket`, over HTTPS where a port is given."""

    enabled: bool = True
    admin_socket: Path | None = None
    bind_address: str = "127.0.0.1"
    bind_port: int | None = None
    dns_names: tuple[str, ...] = ("localhost",)
    certificate_file: Path | None = None
    key_file: Path | None = None
    mint_over_https: bool = False

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together or not at all")
        if self.bind_port is not None and (fault := _port(self.bind_port)):
            raise ValueError(f"bind_port {fault}")


@dataclass(frozen=True, slots=True)
class Server:
    """The table `[server]`; durations are seconds here and `24h` or `1h30m` in a file."""

    trust_domain: str = setting(check=_trust_domain)
    data_dir: Path = Path("/var/lib/finial/ca")
    bind_address: str = "0.0.0.0"  # noqa: S104 - the port for agents, as in SPIRE (SC-03)
    bind_port: int = setting(DEFAULT_PORT, check=_port)
    advertised_addresses: tuple[str, ...] = ()
    socket_path: Path | None = None
    database_url: str = ""
    ca_key_type: KeyType = KeyType.EC_P256
    jwt_key_type: KeyType | None = None
    ca_subject: Subject = field(default_factory=Subject)
    ca_ttl: Duration = setting(86_400.0, check=_positive)
    default_x509_svid_ttl: Duration = setting(3_600.0, check=_positive)
    default_jwt_svid_ttl: Duration = setting(300.0, check=_positive)
    agent_ttl: Duration | None = None
    jwt_issuer: str = ""
    disable_jwt_svids: bool = False
    admin_ids: tuple[str, ...] = setting((), check=_ids)
    audit_log: Path | None = None
    log_level: Literal["debug", "info", "warn", "error", "DEBUG", "INFO", "WARN", "ERROR"] = "info"
    log_format: Literal["text", "json"] = "text"
    ratelimit: RateLimits = field(default_factory=RateLimits)
    prune_attested_nodes_expired_for: Duration | None = None
    prune_attested_nodes_batch_size: int = setting(1000, check=at_least(1))
    prune_tofu_nodes: bool = False
    safety_poll: Duration = setting(5.0, check=_positive)
    heartbeat: Duration = setting(5.0, check=_positive)
    streams_per_agent: int = setting(4, check=at_least(1))
    connections_per_address: int = setting(4096, check=at_least(1))
    extra_selector_types: tuple[str, ...] = setting((), check=_selector_types)
    rest: Rest = field(default_factory=Rest)

    def __post_init__(self) -> None:
        for path in (self.server_socket, self.admin_socket):
            if len(str(path).encode()) > LONGEST_PATH:
                raise ValueError(
                    f"the socket path {path} is longer than {LONGEST_PATH} bytes: "
                    "choose a shorter data_dir or socket_path"
                )

    @property
    def domain(self) -> TrustDomain:
        """The trust domain as a value."""
        return TrustDomain.parse(self.trust_domain)

    @property
    def private_dir(self) -> Path:
        """Where everything lies that nobody else may read."""
        return self.data_dir / "private"

    @property
    def server_socket(self) -> Path:
        """SPIRE's API for local administrators."""
        return self.socket_path or self.private_dir / "server.sock"

    @property
    def admin_socket(self) -> Path:
        """The REST API for local administrators."""
        return self.rest.admin_socket or self.private_dir / "admin.sock"

    @property
    def bundle_path(self) -> Path:
        """Our own bundle in PEM, for agents of this machine to begin with."""
        return self.data_dir / "bundle.pem"

    @property
    def audit_path(self) -> Path:
        """The audit log, one JSON object a line."""
        return self.audit_log or self.private_dir / "audit.log"

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.private_dir}/database/finial.sqlite3"

    @property
    def jwt_key(self) -> KeyType:
        """The kind of key that signs JWT-SVIDs (SC-07)."""
        return self.jwt_key_type or self.ca_key_type


@dataclass(frozen=True, slots=True)
class Oidc:
    """The table `[oidc]`: discovery for verifiers of JWT-SVIDs that know no SPIFFE.

    `listen` is `host:port`, or `unix://` and a path for a proxy that ends TLS. `issuer` is
    `server.jwt_issuer` where nothing is given; `domains` are further names by which verifiers may
    call. `ratelimit` is in requests a second and address, 0 meaning no limit.
    """

    listen: str = setting(check=_listen)
    issuer: str = setting("", check=lambda value: _issuer(value) if value else None)
    domains: tuple[str, ...] = setting((), check=_hosts)
    certificate_file: Path | None = None
    key_file: Path | None = None
    ratelimit: float = setting(50.0, check=at_least(0))

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together or not at all")
        if self.socket and (self.certificate_file or len(str(self.socket)) > LONGEST_PATH):
            raise ValueError(
                f"a socket has a path of at most {LONGEST_PATH} bytes and no certificate"
            )

    @property
    def socket(self) -> Path | None:
        """The Unix socket to listen on, where it is none of TCP."""
        path = self.listen.removeprefix(UNIX)
        return Path(path) if path != self.listen else None

    @property
    def address(self) -> tuple[str, int]:
        """The TCP address to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class StatusHook:
    """The table `[status_hook]`: an external HTTPS service that is asked how an identity stands.

    `secret_file` (0600) holds a bearer token that this server alone has. `lifetime` is that of
    answers that name none. Where the service cannot be asked, `on_failure` says whether what would
    be issued is issued (`open`) or refused (`closed`).
    """

    url: str = setting(check=_https)
    secret_file: Path | None = None
    ca_file: Path | None = None
    timeout: Duration = setting(2.0, check=_positive)
    lifetime: Duration = setting(60.0, check=_positive)
    on_failure: Literal["open", "closed"] = "open"


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration file."""

    server: Server
    oidc: Oidc | None = None
    status_hook: StatusHook | None = None
    plugins: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.plugins) - set(_PLUGIN_TYPES)
        if unknown:
            raise ValueError(
                f"plugins.{min(unknown)} is unknown: there are {', '.join(_PLUGIN_TYPES)}"
            )
        if len(self.plugins.get("key_manager", {})) > 1:
            raise ValueError("plugins.key_manager names more than one key manager")
        if self.oidc is not None:
            self._judge_oidc(self.oidc)

    def _judge_oidc(self, oidc: Oidc) -> None:
        if self.server.disable_jwt_svids:
            raise ValueError("oidc shows the keys of JWT-SVIDs, and disable_jwt_svids is set")
        if fault := _issuer(self.issuer):
            raise ValueError(f"oidc.issuer is missing, and server.jwt_issuer {fault}")
        if not (oidc.socket or oidc.certificate_file or self.oidc_names):
            raise ValueError(
                "oidc.issuer and oidc.domains name only addresses, for which there is no "
                "certificate of ours: give certificate_file and key_file, or a name"
            )

    @property
    def issuer(self) -> str:
        """The issuer that OIDC discovery speaks for."""
        return (self.oidc and self.oidc.issuer) or self.server.jwt_issuer

    @property
    def oidc_hosts(self) -> tuple[str, ...]:
        """By which hosts verifiers may call for discovery."""
        domains = self.oidc.domains if self.oidc else ()
        return tuple(dict.fromkeys((OidcIssuer.parse(self.issuer).host, *domains)))

    @property
    def oidc_names(self) -> tuple[str, ...]:
        """Those of them that a certificate of ours can bear."""
        return tuple(each for each in self.oidc_hosts if not is_address(each))

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
    if "server" not in table:
        raise SettingsError(("the table [server] is missing",))
    return settings.load(Settings, table, "")
