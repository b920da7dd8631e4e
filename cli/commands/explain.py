"""`finial explain` and `finial simulate`: why a process has no identity, and what to do."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.endpoint import TcpEndpoint, resolve, unix_path
from cli.place import ADMIN_SOCKET, Place, find
from cli.printing import output_option, plain, print_json

F = TypeVar("F", bound=Callable[..., Any])
USUAL = (Path("/run/finial/agent.sock"), Path("/var/lib/finial/agent/agent.sock"))


@dataclass(frozen=True, slots=True)
class Where:
    """Whom to ask: an agent's socket, a server, or the server about an agent by its path."""

    agent_socket: Path | None
    server: Place | None
    agent: str
    folder: Path | None
    timeout: float


_OPTIONS = (
    click.option(
        "--dir",
        "directory",
        envvar="FINIAL_DIR",
        metavar="D",
        help="The folder of `finial up`, or an agent's data_dir [FINIAL_DIR].",
    ),
    click.option("--admin-socket", metavar="URI", help="The agent's agent.sock, as unix:///path."),
    click.option("--agent", default="", metavar="ID", help="Have the server ask this agent."),
    click.option(
        "--server",
        metavar="ADDRESS",
        help="unix:///path/admin.sock or https://host:port [FINIAL_SERVER].",
    ),
    click.option(
        "--token-file", metavar="FILE", help="An API token, for https; `-` is standard input."
    ),
    click.option("--bundle", metavar="FILE", help="The CA certificates that prove the server."),
    click.option(
        "--timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, help="In seconds."
    ),
)


def where_options(command: F) -> F:
    """Give a command the options that say whom to ask, as the argument `where`."""

    @wraps(command)
    def placed(
        *,
        directory: str | None,
        admin_socket: str | None,
        agent: str,
        server: str | None,
        token_file: str | None,
        bundle: str | None,
        timeout: float,
        **options: Any,
    ) -> Any:
        folder = Path(directory).absolute() if directory and not (admin_socket or server) else None
        place = _server(folder, server, token_file, bundle, wanted=bool(agent))
        socket = unix_path(admin_socket) if admin_socket else _agent_socket(folder)
        where = Where(socket, place, agent, folder, timeout)
        return command(where=where, **options)

    for option in reversed(_OPTIONS):
        placed = option(placed)
    return placed  # type: ignore[return-value] # the options were added and taken away again


@click.command()
@click.option("--pid", type=click.IntRange(1), help="The process, by its number on the node.")
@click.option("--refusal", metavar="ID", help="The id that the workload was told.")
@click.option("--last-refusals", is_flag=True, help="List the newest refusals.")
@click.option("--self", "myself", is_flag=True, help="This very process, as the agent sees it.")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Of refusals."
)
@click.option("--socket", metavar="URI", help="The Workload API, for --self.")
@where_options
@output_option
def explain(
    *,
    pid: int | None,
    refusal: str | None,
    last_refusals: bool,
    myself: bool,
    limit: int,
    socket: str | None,
    where: Where,
    output: str,
) -> None:
    """Say why a process has an identity or none, what came nearest, and what to do.

    The agent is asked on its own socket, as root or as its user. Where the server can be reached
    too, it adds what only it knows: entries of other agents, expired ones, those on their way.

    \b
    Examples:
      finial explain --pid 4711
      finial explain --refusal k3vq7d2a --dir /tmp/finial
      finial explain --last-refusals
      finial explain --pid 4711 --agent x509pop/0123 --server https://ca:8443 --token-file token
    """
    from cli.explaining.asking import Asked, ask_about_myself, ask_refusals

    if sum((pid is not None, refusal is not None, last_refusals, myself)) != 1:
        raise click.UsageError("name one of --pid N, --refusal ID, --last-refusals and --self")
    if last_refusals:
        _tell_refusals(ask_refusals(_socket(where), limit, where.timeout), output)
    elif myself:
        _tell(ask_about_myself(_workload_api(where, socket), where.timeout), output)
    else:
        _ask(where, Asked(pid or 0, refusal or ""), output)


@click.command()
@click.option("--pid", type=click.IntRange(1), required=True, help="The process.")
@where_options
@output_option
def simulate(*, pid: int, where: Where, output: str) -> None:
    """Say what a process would get if it asked now, without giving it anything.

    \b
    Examples:
      finial simulate --pid 4711
      finial simulate --pid $(pgrep -f web.py) --output json
    """
    from cli.explaining.asking import Asked

    _ask(where, Asked(pid, simulated=True), output)


def _ask(where: Where, asked: Any, output: str) -> None:
    """Ask the agent, and the server beside it; if that cannot add anything, say so."""
    from cli.explaining.asking import ask_agent, ask_server
    from finial.spiffe.refusal import Refusal

    if where.agent:
        assert where.server is not None
        _tell(ask_server(where.server, where.agent, asked, where.timeout), output)
        return
    found = ask_agent(_socket(where), asked, where.timeout)
    if where.server is not None and found.agent_id:
        try:
            found = ask_server(where.server, found.agent_id, asked, where.timeout)
        except Refusal as refusal:
            said = plain(refusal.detail)
            click.echo(f"finial: the server could not be asked as well: {said}", err=True)
    _tell(found, output)


def _tell(explanation: Any, output: str) -> None:
    from cli.explaining.telling import tell

    if output == "json":
        print_json(_plain_document(explanation))
    else:
        tell(explanation)


def _tell_refusals(refusals: list[Any], output: str) -> None:
    from cli.explaining.telling import tell_refusals

    if output == "json":
        print_json({"items": [_plain_document(each) for each in refusals]})
    else:
        tell_refusals(refusals)


def _plain_document(explanation: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(explanation)


def _server(
    folder: Path | None,
    server: str | None,
    token_file: str | None,
    bundle: str | None,
    *,
    wanted: bool,
) -> Place | None:
    if server:
        return find(None, server, token_file, bundle)
    # Who may not look into the folder (a workload asking about itself) does without the server.
    if folder is not None and os.access(folder / ADMIN_SOCKET, os.W_OK):
        return Place(socket=folder / ADMIN_SOCKET)
    return find(None, None, token_file, bundle) if wanted else None


def _agent_socket(folder: Path | None) -> Path | None:
    if folder is not None:
        return folder / "agent.sock"
    return next((each for each in USUAL if os.access(each, os.W_OK)), None)


def _socket(where: Where) -> Path:
    if where.agent_socket is None:
        raise click.UsageError(
            "where is the agent? Give --dir D (or FINIAL_DIR), or --admin-socket "
            "unix:///path/agent.sock, or --agent ID to have its server ask it"
        )
    return where.agent_socket


def _workload_api(where: Where, socket: str | None) -> Path | TcpEndpoint:
    if socket is None and where.folder is not None:
        return where.folder / "workload" / "workload.sock"
    return resolve(socket)
