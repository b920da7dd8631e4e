from pathlib import Path

import click
import pytest

from cli.endpoint import TcpEndpoint, parse, resolve, unix_path


def test_an_explicit_socket_wins_over_the_variable() -> None:
    """SPIFFE_ENDPOINT_SOCKET is used where nothing is said explicitly (WEP-08)."""
    environment = {"SPIFFE_ENDPOINT_SOCKET": "unix:///run/env.sock"}
    assert resolve("unix:///run/x.sock", environment) == Path("/run/x.sock")
    assert resolve(None, environment) == Path("/run/env.sock")
    with pytest.raises(click.UsageError, match="SPIFFE_ENDPOINT_SOCKET"):
        resolve(None, {})


@pytest.mark.parametrize("uri", ["http://x", "/run/x.sock", "run/x.sock", "unixs:///x", ""])
def test_only_two_schemes_are_known(uri: str) -> None:
    """The value is a URI with scheme unix or tcp (WEP-09)."""
    with pytest.raises(click.UsageError) as refused:
        parse(uri)
    assert ("did you mean unix:///run/x.sock?" in str(refused.value)) == uri.startswith("/")


@pytest.mark.parametrize("uri", ["unix:///run/x.sock", "unix:/run/x.sock"])
def test_a_unix_uri_is_an_absolute_path(uri: str) -> None:
    """A unix URI has an absolute path and nothing else (WEP-10)."""
    assert parse(uri) == Path("/run/x.sock")


@pytest.mark.parametrize(
    "uri",
    [
        "unix://run/x.sock",
        "unix:run/x.sock",
        "unix:///x?y",
        "unix:///x#y",
        "unix://user@/x",
        "unix:///" + "a" * 107,
    ],
)
def test_another_unix_uri_is_refused(uri: str) -> None:
    """An authority, a query, a fragment or a relative path is refused (WEP-10)."""
    with pytest.raises(click.UsageError):
        unix_path(uri)


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("tcp://127.0.0.1:8000", TcpEndpoint("127.0.0.1", 8000)),
        ("tcp://[::1]:8000", TcpEndpoint("::1", 8000)),
    ],
)
def test_a_tcp_uri_is_an_address_and_a_port(uri: str, endpoint: TcpEndpoint) -> None:
    """A tcp URI has an IP address and a port (WEP-11)."""
    assert parse(uri) == endpoint


@pytest.mark.parametrize(
    "uri",
    [
        "tcp://127.0.0.1:8000/foo",
        "tcp://localhost:8000",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:99999",
        "tcp://user@127.0.0.1:8000",
        "tcp://127.0.0.1:8000?x",
        "tcp:127.0.0.1:8000",
    ],
)
def test_another_tcp_uri_is_refused(uri: str) -> None:
    """A name, a path or a missing port is refused (WEP-11)."""
    with pytest.raises(click.UsageError):
        parse(uri)
