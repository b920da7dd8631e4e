"""The configurations of both programs, written from the flags of `finial up`."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cli.up.layout import Layout
from finial.runtime.files import write_private

Table = Mapping[str, Any]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line; lifetimes are in seconds, 0 for the default.

    `attestors` has a table for each workload attestor of the agent.
    """

    trust_domain: str
    port: int
    rest_port: int
    ca_ttl: float
    svid_ttl: float
    rate_limits: bool
    log_level: str
    attestors: Table = field(default_factory=lambda: {"unix": {}})


def write_server(layout: Layout, wishes: Wishes, port: int, rest_port: int) -> None:
    """Write the server's configuration."""
    server: dict[str, Any] = {
        "trust_domain": wishes.trust_domain,
        "data_dir": str(layout.root),
        "bind_address": "127.0.0.1",
        "bind_port": port,
        "log_level": wishes.log_level,
        "rest": {"bind_address": "127.0.0.1", "bind_port": rest_port, "dns_names": ["localhost"]},
    }
    if wishes.ca_ttl:
        server["ca_ttl"] = wishes.ca_ttl
    if wishes.svid_ttl:
        server["default_x509_svid_ttl"] = wishes.svid_ttl
        server["agent_ttl"] = max(wishes.svid_ttl, wishes.ca_ttl / 2)
    if not wishes.rate_limits:
        names = ("attestation", "bootstrap", "signing", "renewal", "status")
        server["ratelimit"] = dict.fromkeys(names, 0)
    plugins = {
        "key_manager": {"disk": {}},
        "node_attestor": {
            "join_token": {},
            "x509pop": {
                "ca_bundle_path": str(layout.node / "ca.pem"),
                "agent_path_template": "/x509pop/{subject_cn}",
            },
        },
    }
    text = render({"server": server, "plugins": plugins})
    write_private(layout.server_config, text.encode())


def write_agent(layout: Layout, wishes: Wishes, port: int) -> None:
    """Write the agent's configuration."""
    agent = {
        "trust_domain": wishes.trust_domain,
        "data_dir": str(layout.root),
        "server_address": "127.0.0.1",
        "server_port": port,
        "trust_bundle_path": str(layout.bundle),
        "log_level": wishes.log_level,
    }
    plugins = {
        "key_manager": {"disk": {}},
        "node_attestor": {
            "x509pop": {
                "private_key_path": str(layout.node / "node.key"),
                "certificate_path": str(layout.node / "node.pem"),
            }
        },
        "workload_attestor": wishes.attestors,
    }
    write_private(layout.agent_config, render({"agent": agent, "plugins": plugins}).encode())


def render(document: Table) -> str:
    """Write tables of text, numbers, booleans and lists of them as TOML."""
    return "# Written by finial up at each start.\n" + "".join(_tables("", document))


def _tables(path: str, table: Table) -> Iterator[str]:
    below = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    own = {name: value for name, value in table.items() if name not in below}
    if path and (own or not below):
        yield f"\n[{path}]\n"
    for name, value in own.items():
        # JSON's way to write text, numbers and lists is TOML's, too.
        key = name if _BARE.fullmatch(name) else json.dumps(name)
        yield f"{key} = {json.dumps(value)}\n"
    for name, value in below.items():
        key = name if _BARE.fullmatch(name) else json.dumps(name)
        yield from _tables(f"{path}.{key}" if path else key, value)
