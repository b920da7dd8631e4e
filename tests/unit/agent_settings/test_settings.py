"""The agent's configuration."""

from pathlib import Path
from typing import Any

import pytest

from agent.settings import read
from finial.keys.contract import KeyType
from finial.runtime.settings import SettingsError


def agent(**keys: Any) -> dict[str, Any]:
    return {"agent": {"trust_domain": "example.org", **keys}}


def problems(table: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        read(table)
    return "\n".join(caught.value.problems)


def test_defaults_are_laid_out_in_the_data_directory() -> None:
    """Unless told otherwise the sockets and what must stay secret lie in the data directory."""
    found = read(agent(data_dir="/d")).agent
    assert found.workload_socket == Path("/d/workload/workload.sock")
    assert found.admin_socket == Path("/d/agent.sock")
    assert found.storage_dir == Path("/d/private/agent")
    assert found.audit_path == Path("/d/private/agent-audit.log")
    assert found.workload_x509_svid_key_type is KeyType.EC_P256
    assert found.connections_per_uid == 2048


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("ca.example.org", ("ca.example.org:9000",)),
        (["a", "b:1"], ("a:9000", "b:1")),
        ("2001:db8::1", ("[2001:db8::1]:9000",)),
        (["[::1]", "[::1]:2"], ("[::1]:9000", "[::1]:2")),
    ],
)
def test_server_addresses_get_the_port(given: object, servers: tuple[str, ...]) -> None:
    """One address or several are taken, with server_port where they name none."""
    assert read(agent(server_address=given, server_port=9000)).agent.servers == servers


def test_everything_that_is_wrong_is_said() -> None:
    """An unknown key is told with the nearest known one, together with every other problem."""
    said = problems(agent(sokcet_path="/x", server_port=0, trust_domain="Example", hold="x"))
    assert "sokcet_path is unknown: did you mean socket_path?" in said
    assert "server_port" in said
    assert "trust_domain" in said
    assert "hold" in said


def test_trust_comes_from_one_source() -> None:
    """Two sources of trust at once are an error, because one of them would be ignored."""
    said = problems(agent(insecure_bootstrap=True, trust_bundle_path="/b"))
    assert "trust_bundle_path and insecure_bootstrap" in said


def test_a_pinned_authority_is_a_sha256() -> None:
    """A pin is 64 hex digits, with or without colons."""
    assert read(agent(trust_bundle_sha256="ab" * 32)).agent.trust_bundle_sha256
    assert read(agent(trust_bundle_sha256=":".join(["ab"] * 32))).agent.trust_bundle_sha256
    assert "SHA-256" in problems(agent(trust_bundle_sha256="ab"))


def test_one_join_token_is_enough() -> None:
    """A join file and a join token file together are an error."""
    assert "one token" in problems(agent(join_file="/j", join_token_file="/t"))


def test_the_operators_socket_is_not_mounted_with_the_workloads() -> None:
    """The folder that containers mount holds the Workload API alone."""
    assert "containers mount" in problems(agent(socket_path="/w/a", admin_socket_path="/w/b"))


def test_a_socket_path_fits_the_kernel() -> None:
    """A socket path over 107 bytes is refused."""
    assert "107" in problems(agent(socket_path="/" + "x" * 107))


def test_plugins_are_of_known_types() -> None:
    """A plugin table of an unknown type, or two node attestors, are errors."""
    assert "key_manger" in problems({**agent(), "plugins": {"key_manger": {}}})
    two = {"node_attestor": {"join_token": {}, "x509pop": {}}}
    assert "more than one" in problems({**agent(), "plugins": two})
    settings = read({**agent(), "plugins": {"key_manager": {"memory": {}}}})
    assert settings.plugin("key_manager") == {"memory": {}}
    assert settings.plugin("workload_attestor") == {}


def test_names_of_secrets_are_told_apart() -> None:
    """Three different names, and none that a SPIFFE ID or the star has already."""
    same = agent(sds={"default_bundle_name": "ALL"})
    assert "not all different" in problems(same)
    for taken in ("", "*", "spiffe://example.org"):
        assert "default_svid_name" in problems(agent(sds={"default_svid_name": taken}))
    assert read(agent(sds={"default_svid_name": "mine"})).agent.sds.default_svid_name == "mine"


def test_whose_word_counts_is_said_by_spiffe_ids() -> None:
    """An ID that is none, a header with a meaning of its own or a path too long is an error."""
    front = "spiffe://example.org/front"
    for wrong in (
        {"trusted_proxies": [front, "front"]},
        {"trusted_envoys": ["*"]},
        {"caller_header": "host"},
        {"caller_header": "X-Caller"},
        {"caller_header": "x-a-b-c-d-e"},
        {"caller_header": "x--caller"},
        {"http_socket_path": "/" + 107 * "x"},
        {"rules_max_age": "soon"},
        {"trusted": []},
    ):
        assert next(iter(wrong)) in problems(agent(ext_authz=wrong))
    given = {"trusted_proxies": [front], "caller_header": "", "rules_max_age": "12h"}
    settings = read(agent(ext_authz=given)).agent.ext_authz
    assert (settings.trusted_proxies, settings.rules_max_age) == ((front,), 43_200)
    assert read(agent()).agent.ext_authz.http_socket_path is None


def test_a_required_attestor_has_to_run() -> None:
    """What never runs can be waited for in vain, so that it is an error."""
    wanted = agent(required_workload_attestors=["docker"])
    assert "docker" in problems(wanted)
    plugins = {"workload_attestor": {"docker": {}, "unix": {}}}
    assert read({**wanted, "plugins": plugins}).agent.required_workload_attestors == ("docker",)
    assert read(agent(required_workload_attestors=["unix"])).agent


def test_the_table_is_required() -> None:
    """A file without [agent] is no agent's configuration."""
    assert "[agent]" in problems({})
