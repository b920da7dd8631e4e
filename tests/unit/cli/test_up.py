import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from agent import settings as agent_settings
from ca import settings as ca_settings
from cli.up import command
from cli.up.configuration import Wishes, render, write_agent, write_server
from cli.up.layout import lock, prepare
from cli.up.node_certificate import prepare as prepare_node
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entropy import RepeatingEntropy

WISHES = Wishes("example.org", 0, 0, 40.0, 8.0, False, "warn")


def test_the_folder_is_laid_out(tmp_path: Path) -> None:
    """D and D/workload are open to look into (0755), D/private is closed (0700)."""
    layout = prepare(tmp_path / "d")
    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in (layout.root, layout.workload_socket.parent, layout.private, layout.node)
    }
    assert list(modes.values()) == [0o755, 0o755, 0o700, 0o700]
    assert prepare(tmp_path / "d") == layout


def test_a_fresh_temporary_folder_is_opened(tmp_path: Path) -> None:
    """What `mktemp -d` made is opened; a folder that holds something is left as it is."""
    fresh, used = tmp_path / "fresh", tmp_path / "used"
    for folder in (fresh, used):
        folder.mkdir(mode=0o700)
    (used / "file").touch()
    assert stat.S_IMODE(prepare(fresh).root.stat().st_mode) == 0o755
    assert stat.S_IMODE(prepare(used).root.stat().st_mode) == 0o700


def test_an_unsafe_folder_is_refused(tmp_path: Path) -> None:
    """A symbolic link, a file, a folder that others can write, and too long a path are refused."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for name in ("link", "file", "open", "a" * 100):
        with pytest.raises(Refusal) as refused:
            prepare(tmp_path / name)
        assert refused.value.kind is Kind.PRECONDITION
        assert refused.value.remedy


def test_one_up_at_a_time(tmp_path: Path) -> None:
    """A second `finial up` in the same folder is refused."""
    layout = prepare(tmp_path / "d")
    lock(layout)
    with pytest.raises(Refusal, match="another finial up"):
        lock(layout)


def test_the_node_keeps_its_name(tmp_path: Path) -> None:
    """The certificate is made anew at each start; the CA, and so the agent's name, stays."""
    layout = prepare(tmp_path / "d")
    entropy = RepeatingEntropy()
    prepare_node(layout.node, entropy)
    first = x509.load_pem_x509_certificate((layout.node / "node.pem").read_bytes())
    authority = (layout.node / "ca.pem").read_bytes()
    prepare_node(layout.node, entropy)
    second = x509.load_pem_x509_certificate((layout.node / "node.pem").read_bytes())
    assert first.public_key() != second.public_key()
    assert first.subject == second.subject
    assert (layout.node / "ca.pem").read_bytes() == authority
    second.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    for name in ("ca.key", "node.key"):
        assert stat.S_IMODE((layout.node / name).stat().st_mode) == 0o600


def test_both_configurations_can_be_used(tmp_path: Path) -> None:
    """What is written for the two programs is what they read."""
    layout = prepare(tmp_path / "d")
    write_server(layout, WISHES, 8081, 8443)
    write_agent(layout, WISHES, 8081)
    server = ca_settings.load(layout.server_config).server
    agent = agent_settings.load(layout.agent_config).agent
    assert (server.ca_ttl, server.default_x509_svid_ttl, server.agent_ttl) == (40.0, 8.0, 20.0)
    assert server.ratelimit.attestation == 0
    assert (server.admin_socket, server.server_socket) == (
        layout.admin_socket,
        layout.server_socket,
    )
    assert (agent.workload_socket, agent.admin_socket) == (
        layout.workload_socket,
        layout.agent_socket,
    )
    assert agent.servers == ("127.0.0.1:8081",)


def test_text_survives_toml() -> None:
    """Quotes, backslashes and empty tables are written as TOML reads them."""
    document = {"a": {"text": 'x"\\y', "list": ["é", "b"], "on": True, "b": {"c": {}}}}
    assert tomllib.loads(render(document)) == document
    strange = {"a b": {"with.dot": {"1000": "x", "": 1}}}
    assert tomllib.loads(render(strange)) == strange


def test_the_agents_attestors_are_those_of_the_file(tmp_path: Path) -> None:
    """`--attestors FILE` takes the place of unix alone; what is no table of tables is refused."""
    layout = prepare(tmp_path / "d")
    write_agent(layout, replace(WISHES, attestors={"unix": {}, "docker": {"env": ["A"]}}), 1)
    found = agent_settings.load(layout.agent_config).plugin("workload_attestor")
    assert found == {"unix": {}, "docker": {"env": ["A"]}}
    file = tmp_path / "attestors.toml"
    for text in (None, "", "unix = 1\n", "[unix\n"):
        if text is not None:
            file.write_text(text)
        told = CliRunner().invoke(
            command.up, ["--dir", str(tmp_path / "d"), "--attestors", str(file)]
        )
        assert (told.exit_code, str(file) in told.output) == (2, True), told.output
