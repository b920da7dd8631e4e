from pathlib import Path

import click
import pytest

from cli.place import find
from cli.tokens import read_secret


def test_a_folder_names_its_admin_socket() -> None:
    """--dir D leads to D/private/admin.sock."""
    assert find("/tmp/d", None, None, None).socket == Path("/tmp/d/private/admin.sock")


def test_options_win_over_the_environment() -> None:
    """An option wins over a variable, and --server over --dir."""
    environment = {"FINIAL_DIR": "/tmp/env"}
    found = find(None, None, None, None, environment)
    assert found.socket == Path("/tmp/env/private/admin.sock")
    environment["FINIAL_SERVER"] = "unix:///run/a.sock"
    assert find(None, None, None, None, environment).socket == Path("/run/a.sock")
    found = find("/tmp/d", None, None, None, environment)
    assert found.socket == Path("/tmp/d/private/admin.sock")


def test_an_https_server_needs_a_token(tmp_path: Path) -> None:
    """Over HTTPS the token comes from a file, never from an argument."""
    token = tmp_path / "token"
    token.write_text("finial_abc\n")
    found = find(None, "https://ca.example.org:8443/", str(token), "/bundle.pem")
    assert (found.url, found.token) == ("https://ca.example.org:8443", "finial_abc")
    assert found.bundle == Path("/bundle.pem")
    with pytest.raises(click.UsageError, match="token-file"):
        find(None, "https://ca.example.org:8443", None, None)


@pytest.mark.parametrize(
    "server", ["http://ca:80", "ca:8443", "https://", "https://ca/v1", "https://ca?x", "unix://x"]
)
def test_other_addresses_are_refused(server: str) -> None:
    """A server is named by unix:///... or https://host:port."""
    with pytest.raises(click.UsageError):
        find(None, server, "/dev/null", None)


def test_a_server_is_named_once_and_at_all() -> None:
    """Two names, or none, are wrong usage."""
    with pytest.raises(click.UsageError):
        find("/tmp/d", "unix:///x", None, None)
    with pytest.raises(click.UsageError, match="FINIAL_DIR"):
        find(None, None, None, None, {})


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    """A file that is missing, empty or far too long holds no secret."""
    file = tmp_path / "secret"
    for content in ("", " \n", "x" * 70_000):
        file.write_text(content)
        with pytest.raises(click.UsageError):
            read_secret(str(file))
    with pytest.raises(click.UsageError):
        read_secret(str(tmp_path / "none"))
    file.write_text(" s3cret\n")
    assert read_secret(str(file)) == "s3cret"
