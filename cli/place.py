"""Where the server is: a folder, a Unix socket or an HTTPS address."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from cli.endpoint import unix_path
from cli.tokens import read_secret

F = TypeVar("F", bound=Callable[..., Any])

ADMIN_SOCKET: Final = Path("private/admin.sock")


@dataclass(frozen=True, slots=True)
class Place:
    """How administrators' commands reach their server: by a socket, or by an HTTPS address.

    `folder` is that of `finial up`, if the server was named by it.
    """

    socket: Path | None = None
    folder: Path | None = None
    url: str = ""
    token: str = ""
    bundle: Path | None = None

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return str(self.socket) if self.socket else self.url


def server_options(command: F) -> F:
    """Give a command the options that say where its server is, as the argument `place`."""

    @wraps(command)
    def placed(
        *args: Any,
        directory: str | None,
        server: str | None,
        token_file: str | None,
        bundle: str | None,
        **options: Any,
    ) -> Any:
        found = find(directory, server, token_file, bundle)
        return command(*args, place=found, **options)

    for option in reversed(_OPTIONS):
        placed = option(placed)
    return placed  # type: ignore[return-value] # the options were added and taken away again


_OPTIONS = (
    click.option("--dir", "directory", metavar="D", help="The folder of `finial up` [FINIAL_DIR]."),
    click.option(
        "--server",
        metavar="ADDRESS",
        help="unix:///path/admin.sock or https://host:port [FINIAL_SERVER].",
    ),
    click.option(
        "--token-file", metavar="FILE", help="An API token, for https; `-` is standard input."
    ),
    click.option("--bundle", metavar="FILE", help="The CA certificates that prove the server."),
)


def find(
    directory: str | None,
    server: str | None,
    token_file: str | None,
    bundle: str | None,
    environment: Mapping[str, str] = os.environ,
) -> Place:
    """Find the server: an option wins over a variable of the environment, --server over --dir."""
    if directory and server:
        raise click.UsageError("name the server once: by --dir or by --server")
    server = server or (None if directory else environment.get("FINIAL_SERVER"))
    if server:
        return _addressed(server, token_file, bundle)
    directory = directory or environment.get("FINIAL_DIR")
    if not directory:
        raise click.UsageError(
            "where is the server? Give --dir D (or FINIAL_DIR), the folder of `finial up`, "
            "or --server unix:///path/admin.sock or https://host:port (or FINIAL_SERVER)"
        )
    folder = Path(directory).absolute()
    return Place(socket=folder / ADMIN_SOCKET, folder=folder)


def _addressed(server: str, token_file: str | None, bundle: str | None) -> Place:
    if server.startswith("unix:"):
        return Place(socket=unix_path(server))
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise click.UsageError(
            f"--server is unix:///path/admin.sock or https://host:port, not {server!r}"
        )
    if not token_file:
        raise click.UsageError("over https an API token is needed: --token-file FILE")
    return Place(
        url=server.rstrip("/"),
        token=read_secret(token_file),
        bundle=Path(bundle) if bundle else None,
    )
