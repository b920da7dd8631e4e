"""The server's configuration."""

from pathlib import Path
from typing import Any

import pytest

from ca import settings
from finial.keys.contract import KeyType
from finial.runtime.settings import SettingsError


def read(**members: Any) -> settings.Settings:
    return settings.read({"server": {"trust_domain": "example.org", **members}})


def problems(table: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        settings.read(table)
    return "\n".join(caught.value.problems)


def test_defaults_are_spires() -> None:
    """Who knows SPIRE knows what is not configured (SC-03 to SC-12, RL-01 to RL-05)."""
    server = read().server
    assert (server.bind_address, server.bind_port) == ("0.0.0.0", 8081)
    assert (server.ca_key_type, server.jwt_key) == (KeyType.EC_P256, KeyType.EC_P256)
    assert (server.ca_ttl, server.default_x509_svid_ttl) == (86_400, 3600)
    assert (server.default_jwt_svid_ttl, server.agent_ttl) == (300, None)
    assert server.ratelimit == settings.RateLimits(1, 1, 500, 500, 10)


def test_the_layout_follows_the_data_directory() -> None:
    """Everything private stands in one folder; each path can be moved by itself."""
    server = read(data_dir="/srv/d").server
    assert server.server_socket == Path("/srv/d/private/server.sock")
    assert server.admin_socket == Path("/srv/d/private/admin.sock")
    assert server.bundle_path == Path("/srv/d/bundle.pem")
    assert server.audit_path == Path("/srv/d/private/audit.log")
    assert server.database == "sqlite:////srv/d/private/database/finial.sqlite3"
    moved = read(
        data_dir="/srv/d",
        socket_path="/run/s.sock",
        audit_log="/var/log/a",
        database_url="sqlite:////x",
        rest={"admin_socket": "/run/a.sock"},
        agent_ttl="2h",
        jwt_key_type="rsa-2048",
    ).server
    assert moved.server_socket == Path("/run/s.sock")
    assert moved.admin_socket == Path("/run/a.sock")
    assert (moved.audit_path, moved.database) == (Path("/var/log/a"), "sqlite:////x")
    assert (moved.agent_ttl, moved.jwt_key) == (7200, KeyType.RSA_2048)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Unknown keys, wrong types and impossible values, each with its place."""
    said = problems(
        {
            "server": {
                "trust_domain": "Example.org",
                "bind_prot": 1,
                "bind_port": 70_000,
                "ca_ttl": "0s",
                "admin_ids": ["nobody"],
                "ratelimit": {"signing": -1},
                "rest": {"bind_port": 1_000_000},
            }
        }
    )
    for part in (
        "server.trust_domain",
        "bind_prot is unknown: did you mean bind_port?",
        "server.bind_port is 70000",
        "server.ca_ttl is 0",
        "server.admin_ids holds 'nobody'",
        "server.ratelimit.signing",
        "server.rest",
    ):
        assert part in said


def test_what_belongs_together_is_judged_together() -> None:
    """A certificate without its key, a socket path no kernel takes, two key managers."""
    assert "together" in problems(
        {"server": {"trust_domain": "a.org", "rest": {"certificate_file": "/x"}}}
    )
    long = "/" + "d" * 120
    assert "107 bytes" in problems({"server": {"trust_domain": "a.org", "data_dir": long}})
    two = {"key_manager": {"disk": {}, "memory": {}}}
    assert "more than one" in problems({"server": {"trust_domain": "a.org"}, "plugins": two})
    assert "upstream is unknown" in problems(
        {"server": {"trust_domain": "a.org"}, "plugins": {"upstream": {}}}
    )
    assert "[server] is missing" in problems({})


def test_a_file_is_read(tmp_path: Path) -> None:
    """Durations are text, plugins tables below their type."""
    path = tmp_path / "ca.toml"
    path.write_text(
        '[server]\ntrust_domain = "example.org"\nca_ttl = "1h30m"\n'
        '[plugins.node_attestor.x509pop]\nca_bundle_path = "/x"\n'
    )
    found = settings.load(path)
    assert found.server.ca_ttl == 5400
    assert found.plugin("node_attestor") == {"x509pop": {"ca_bundle_path": "/x"}}
    assert found.plugin("key_manager") == {}
