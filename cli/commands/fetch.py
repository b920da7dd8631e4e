"""`finial fetch`: SVIDs and bundles, as a workload gets them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.endpoint import resolve, socket_option
from cli.lazy import Listing
from cli.printing import output_option, print_json

F = TypeVar("F", bound=Callable[..., Any])

_TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the first answer.",
)
_WATCH = click.option("--watch", is_flag=True, help="Stay, and tell every change.")
_WRITE = click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write what was fetched there, keys as 0600.",
)


@click.group(cls=Listing)
def fetch() -> None:
    """Fetch SVIDs and bundles from the Workload API, as a workload.

    What you get is what the agent grants to this very process: its user, its program.
    """


@fetch.command()
@_WRITE
@_WATCH
@_TIMEOUT
@socket_option
@output_option
def x509(folder: Path | None, watch: bool, timeout: float, socket: str | None, output: str) -> None:
    """Fetch X509-SVIDs.

    \b
    Examples:
      finial fetch x509 --socket unix:///tmp/finial/workload/workload.sock
      finial fetch x509 --write ./svid --watch
    """
    from cli.fetching import describe_x509, tell_x509, write_x509

    def take(answer: Any) -> None:
        if folder is not None:
            write_x509(answer, folder)
        if output == "json":
            print_json(describe_x509(answer))
        else:
            tell_x509(answer, folder)

    _follow("x509_svids", take, watch, timeout, socket)


@fetch.command()
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    required=True,
    help="Whom the token is for; may be repeated.",
)
@click.option("--spiffe-id", default="", help="Only this one of several identities.")
@_WRITE
@_TIMEOUT
@socket_option
@output_option
def jwt(
    *,
    audiences: Sequence[str],
    spiffe_id: str,
    folder: Path | None,
    timeout: float,
    socket: str | None,
    output: str,
) -> None:
    """Fetch JWT-SVIDs.

    \b
    Example:
      finial fetch jwt --audience spiffe://example.org/db
    """
    import asyncio

    from cli.fetching import describe_jwt, tell_jwt, write_jwt
    from cli.workload import workload_api

    endpoint = resolve(socket)

    async def ask() -> Any:
        async with workload_api(endpoint, timeout) as api:
            return await api.jwt_svids(audiences, spiffe_id)

    answer = asyncio.run(ask())
    if folder is not None:
        write_jwt(answer, folder)
    if output == "json":
        print_json(describe_jwt(answer, with_token=folder is None))
    else:
        tell_jwt(answer, folder)


@fetch.command()
@click.option("--kind", type=click.Choice(["x509", "jwt"]), default="x509", show_default=True)
@_WRITE
@_WATCH
@_TIMEOUT
@socket_option
@output_option
def bundles(
    *,
    kind: str,
    folder: Path | None,
    watch: bool,
    timeout: float,
    socket: str | None,
    output: str,
) -> None:
    """Fetch the trust bundles that this workload may use.

    \b
    Examples:
      finial fetch bundles
      finial fetch bundles --kind jwt --output json
    """
    from cli.fetching import describe_bundles, tell_bundles, write_bundles

    def take(answer: Any) -> None:
        if folder is not None:
            write_bundles(answer, kind, folder)
        if output == "json":
            print_json(describe_bundles(answer, kind))
        else:
            tell_bundles(answer, kind, folder)

    _follow(f"{kind}_bundles", take, watch, timeout, socket)


def _follow(
    what: str, take: Callable[[Any], None], watch: bool, timeout: float, socket: str | None
) -> None:
    import asyncio
    from contextlib import aclosing

    from cli.workload import workload_api

    endpoint = resolve(socket)

    async def ask() -> None:
        async with (
            workload_api(endpoint, timeout) as api,
            aclosing(getattr(api, what)()) as answers,
        ):
            async for answer in answers:
                take(answer)
                if not watch:
                    return

    asyncio.run(ask())
