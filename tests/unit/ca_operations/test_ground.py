"""The folders and plugins that a server stands on."""

import os
from pathlib import Path
from typing import Any

import pytest

from ca import settings
from ca.assemble.ground import own_server_id, prepare_directories
from ca.assemble.make_world import advertised
from ca.assemble.plugins import judge_plugins, load_key_manager, load_verifiers
from finial.runtime.settings import SettingsError
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entropy import RepeatingEntropy


def read(folder: Path, plugins: Any = None, **members: Any) -> settings.Settings:
    server = {"trust_domain": "example.org", "data_dir": str(folder / "D"), **members}
    return settings.read({"server": server, "plugins": plugins or {}})


def test_a_first_start_makes_its_folders(tmp_path: Path) -> None:
    """Everything private is closed to others; a second start finds it so."""
    server = read(tmp_path).server
    for _ in range(2):
        prepare_directories(server)
    assert server.private_dir.stat().st_mode & 0o777 == 0o700
    assert server.data_dir.stat().st_mode & 0o777 == 0o755
    first = own_server_id(server.private_dir, RepeatingEntropy("a"))
    assert own_server_id(server.private_dir, RepeatingEntropy("b")) == first
    assert (server.private_dir / "server-id").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_control_is_refused(tmp_path: Path) -> None:
    """A symbolic link and a folder that others may write to are named with the reason."""
    server = read(tmp_path).server
    (tmp_path / "real").mkdir()
    server.data_dir.symlink_to(tmp_path / "real")
    with pytest.raises(Refusal) as caught:
        prepare_directories(server)
    assert caught.value.kind is Kind.PRECONDITION
    assert "symbolic link" in caught.value.detail
    server.data_dir.unlink()
    server.data_dir.mkdir()
    os.chmod(server.data_dir, 0o777)
    with pytest.raises(Refusal) as caught:
        prepare_directories(server)
    assert "written by others" in caught.value.detail


def test_a_server_id_that_others_could_read_is_refused(tmp_path: Path) -> None:
    """What tells a server's authorities apart is nobody else's to choose."""
    server = read(tmp_path).server
    prepare_directories(server)
    (server.private_dir / "server-id").write_text("mine")
    os.chmod(server.private_dir / "server-id", 0o644)
    with pytest.raises(Refusal) as caught:
        own_server_id(server.private_dir, RepeatingEntropy())
    assert caught.value.kind is Kind.UNAVAILABLE


def test_plugins_are_judged_without_being_made(tmp_path: Path) -> None:
    """Every plugin that does not exist and every wrong setting is named at once."""
    bad = read(
        tmp_path, {"key_manager": {"dsk": {}}, "node_attestor": {"x509pop": {"ca_bundle": "x"}}}
    )
    with pytest.raises(SettingsError) as caught:
        judge_plugins(bad)
    assert len(caught.value.problems) >= 2
    assert "disk" in caught.value.problems[0]
    judge_plugins(read(tmp_path, {"node_attestor": {"join_token": {}}}))


def test_without_plugins_keys_are_on_disk_and_nodes_join_by_token(tmp_path: Path) -> None:
    """The defaults need nothing to be configured."""
    configured = read(tmp_path)
    prepare_directories(configured.server)
    assert load_key_manager(configured, configured.server.private_dir)
    assert (configured.server.private_dir / "keys").is_dir()
    context: Any = None
    assert set(load_verifiers(configured, context)) == {"join_token"}


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"bind_address": "10.0.0.1"}, ("10.0.0.1:99",)),
        ({"bind_address": "2001:db8::1"}, ("[2001:db8::1]:99",)),
        ({"advertised_addresses": ["ca.example.org:443"]}, ("ca.example.org:443",)),
    ],
)
def test_a_join_string_names_addresses_that_can_be_reached(
    tmp_path: Path, members: Any, wanted: tuple[str, ...]
) -> None:
    """What is advertised wins, then what is bound."""
    assert advertised(read(tmp_path, **members).server, 99) == wanted


def test_an_unspecified_address_is_advertised_by_the_machines_name(tmp_path: Path) -> None:
    """0.0.0.0 is nowhere to connect to."""
    [found] = advertised(read(tmp_path).server, 99)
    assert found.endswith(":99")
    assert not found.startswith("0.0.0.0")
