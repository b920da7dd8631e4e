"""`finial healthcheck`: ask a server, an agent, or both whether they are well."""

from pathlib import Path
from typing import Any

import click

from cli.endpoint import unix_path
from cli.printing import output_option, plain, print_json
from finial.spiffe.refusal import Refusal


@click.command()
@click.option(
    "--dir",
    "directory",
    envvar="FINIAL_DIR",
    metavar="D",
    help="The folder of `finial up` [FINIAL_DIR].",
)
@click.option("--server", metavar="URI", help="Only the server: unix:///path/admin.sock.")
@click.option(
    "--agent", metavar="URI", help="Only the agent: unix:///path of its Workload API or agent.sock."
)
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=5.0, show_default=True, help="In seconds."
)
@output_option
def healthcheck(
    directory: str | None, server: str | None, agent: str | None, timeout: float, output: str
) -> int:
    """Ask whether the server and the agent are well; exit status 0 if so, 4 if not.

    \b
    Examples:
      finial healthcheck --dir /tmp/finial
      finial healthcheck --agent unix:///run/finial/workload/workload.sock
    """
    places = _places(directory, server, agent)
    found = {name: _ask(name, path, timeout) for name, path in places.items()}
    if output == "json":
        print_json(found)
    else:
        for name, said in found.items():
            faults = f": {plain(said['reason'])}" if said["reason"] else ""
            click.echo(f"{name} is {said['status']}{faults}")
    return 0 if all(said["status"] == "healthy" for said in found.values()) else 4


def _places(directory: str | None, server: str | None, agent: str | None) -> dict[str, Path]:
    named = {}
    if server:
        named["server"] = unix_path(server)
    if agent:
        named["agent"] = unix_path(agent)
    if named:
        return named
    if not directory:
        raise click.UsageError("name --dir D (or FINIAL_DIR), --server URI or --agent URI")
    folder = Path(directory).absolute()
    return {"server": folder / "private/admin.sock", "agent": folder / "agent.sock"}


def _ask(name: str, path: Path, timeout: float) -> dict[str, Any]:
    try:
        reason = _server(path) if name == "server" else _agent(path, timeout)
    except Refusal as refusal:
        reason = refusal.detail
    return {"status": "unhealthy" if reason else "healthy", "reason": reason}


def _server(path: Path) -> str:
    from cli.administration import Administration
    from cli.place import Place

    with Administration(Place(socket=path)) as server:
        said = server.get("/v1/health/ready")
    return ", ".join(said["failing"])


def _agent(path: Path, timeout: float) -> str:
    import asyncio

    from finial.wire.grpc.client import Channel, UnixAddress
    from finial.wire.grpc.method import method
    from finial.wire.pb import health_pb2

    check = method(health_pb2.DESCRIPTOR.services_by_name["Health"], "Check")

    async def ask() -> Any:
        channel = Channel(UnixAddress(path))
        try:
            return await channel.unary(check, health_pb2.HealthCheckRequest(), timeout=timeout)
        finally:
            await channel.close()

    answer = asyncio.run(ask())
    serving = health_pb2.HealthCheckResponse.ServingStatus.Value("SERVING")
    return "" if answer.status == serving else "it has not synchronised with its server"
