"""Where the Workload API is (SPIFFE Workload Endpoint, section 4)."""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from finial.wire.unix_socket import LONGEST_PATH

F = TypeVar("F", bound=Callable[..., Any])
VARIABLE: Final = "SPIFFE_ENDPOINT_SOCKET"


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A Workload API on an IP address and port."""

    host: str
    port: int


def socket_option(command: F) -> F:
    """Give a command `--socket`, which wins over SPIFFE_ENDPOINT_SOCKET (WEP-08)."""
    return click.option(
        "--socket",
        metavar="URI",
        help=f"The Workload API, as unix:///path or tcp://ip:port [{VARIABLE}].",
    )(command)


def resolve(socket: str | None, environment: Mapping[str, str] = os.environ) -> Path | TcpEndpoint:
    """Find the Workload API from the option or the environment."""
    uri = socket or environment.get(VARIABLE)
    if not uri:
        raise click.UsageError(
            f"where is the Workload API? Give --socket unix:///path/workload.sock or set {VARIABLE}"
        )
    return parse(uri)


def parse(uri: str) -> Path | TcpEndpoint:
    """Read the address of a Workload API (WEP-09 to WEP-11)."""
    if uri.startswith("unix:"):
        return unix_path(uri)
    if uri.startswith("tcp:"):
        return _tcp(uri)
    meant = f": did you mean unix://{uri}?" if uri.startswith("/") else ""
    raise click.UsageError(f"{uri!r} is not a URI of the form unix:///path or tcp://ip:port{meant}")


def unix_path(uri: str) -> Path:
    """Read `unix:///path`: no authority, an absolute path, nothing else (WEP-10)."""
    parts = urlsplit(uri)
    bare = uri.removeprefix("unix:").removeprefix("//")
    if parts.netloc or not parts.path.startswith("/") or bare != parts.path:
        raise click.UsageError(
            f"{uri!r} is not a socket's URI: write unix:///absolute/path, with three slashes"
        )
    if len(parts.path.encode()) > LONGEST_PATH:
        raise click.UsageError(f"a socket's path has at most {LONGEST_PATH} bytes: {parts.path}")
    return Path(parts.path)


def _tcp(uri: str) -> TcpEndpoint:
    wrong = f"{uri!r} is not a TCP endpoint's URI: write tcp://ip:port, nothing after it"
    parts = urlsplit(uri)
    try:
        host, port = parts.hostname or "", parts.port
        ipaddress.ip_address(host)
    except ValueError:
        raise click.UsageError(wrong) from None
    bare = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not port or uri != f"tcp://{bare}":
        raise click.UsageError(wrong)
    return TcpEndpoint(host, port)
