"""`finial ca`: run the CA server."""

from pathlib import Path

import click

from cli.lazy import Listing
from cli.printing import output_option


@click.group(cls=Listing)
def ca() -> None:
    """Run the CA server."""


@ca.command("run")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="ca.toml; see examples/ca.toml.",
)
@click.option("--check", is_flag=True, help="Validate the configuration and start nothing.")
@output_option
def run_(config: Path, check: bool, output: str) -> None:
    """Run the CA server until SIGTERM.

    \b
    Examples:
      finial ca run --config /etc/finial/ca.toml --check
      finial ca run --config /etc/finial/ca.toml
    """
    from cli.running import run_server

    run_server(config, check=check, output=output)
