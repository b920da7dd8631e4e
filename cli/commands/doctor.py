"""`finial doctor`: look at everything an agent and a server depend on, and say what to do."""

import os
from pathlib import Path

import click

from cli.endpoint import unix_path
from cli.place import find
from cli.printing import output_option

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--dir",
    "directory",
    envvar="FINIAL_DIR",
    metavar="D",
    help="The folder of `finial up`, or a data_dir [FINIAL_DIR].",
)
@click.option("--agent-config", type=_FILE, help="/etc/finial/agent.toml if it exists.")
@click.option("--ca-config", type=_FILE, help="/etc/finial/ca.toml if it exists.")
@click.option("--agent", metavar="URI", help="The agent's agent.sock, as unix:///path.")
@click.option(
    "--server",
    metavar="ADDRESS",
    help="unix:///path/admin.sock or https://host:port [FINIAL_SERVER].",
)
@click.option("--token-file", metavar="FILE", help="An API token, for https.")
@click.option("--bundle", metavar="FILE", help="The CA certificates that prove the server.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=10.0, show_default=True, help="In seconds."
)
@output_option
def doctor(
    *,
    directory: str | None,
    agent_config: Path | None,
    ca_config: Path | None,
    agent: str | None,
    server: str | None,
    token_file: str | None,
    bundle: str | None,
    timeout: float,
    output: str,
) -> int:
    """Look at everything that an agent and a server depend on, and say what to do.

    Each check is ok, a warning, or failed with what to try. Exit status 1 if one failed. What
    cannot be asked because a program is away is looked at from outside.

    \b
    Examples:
      finial doctor
      finial doctor --dir /tmp/finial
      finial doctor --agent-config /etc/finial/agent.toml --output json
    """
    from cli.doctor.examine import examine_agent, examine_server
    from cli.doctor.report import print_found
    from cli.doctor.sides import Named, find_sides
    from finial.explain.checkup import worst
    from finial.explain.diagnosis import Diagnosis, Health

    if not (directory or server or agent_config or ca_config or agent):
        server = os.environ.get("FINIAL_SERVER")
    sides = find_sides(
        Named(
            Path(directory).absolute() if directory else None,
            unix_path(agent) if agent else None,
            find(None, server, token_file, bundle) if server else None,
            agent_config,
            ca_config,
        )
    )
    found: dict[str, list[Diagnosis]] = {}
    if sides.server is not None:
        found["server"] = list(examine_server(sides.server, timeout))
    if sides.agent is not None:
        found["agent"] = list(examine_agent(sides.agent, timeout))
    if not found:
        raise click.UsageError(
            "there is neither an agent nor a server here: give --dir D, --agent-config FILE, "
            "--ca-config FILE, --agent URI or --server ADDRESS"
        )
    print_found(found, output)
    return int(worst(each for side in found.values() for each in side) is Health.FAILED)
