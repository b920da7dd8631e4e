"""`finial sidecar`: SVIDs as files, for programs that speak no API."""

from pathlib import Path

import click

from cli.printing import output_option, print_json


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="See examples/files.",
)
@click.option("--once", is_flag=True, help="Write the files, tell the programs, and end.")
@click.option("--check", is_flag=True, help="Look at the configuration and folders; write nothing.")
@output_option
def sidecar(config: Path, once: bool, check: bool, output: str) -> None:
    """Keep an SVID as files, and have nginx, HAProxy, PostgreSQL or any program read each new one.

    The sidecar is a workload: it gets what the agent grants to its own process. It writes
    svid.pem, svid.key, bundle.pem and crl.pem of a folder as one set, after it has made sure that
    the key fits and the chain leads to the bundle.

    \b
    Examples:
      finial sidecar --config /etc/finial/sidecar.toml
      finial sidecar --config /etc/finial/sidecar.toml --check
      finial sidecar --config /etc/finial/sidecar.toml --once

    \b
    A file:
      [sidecar]
      workload_api = "unix:///run/finial/workload/workload.sock"
      [[svid]]
      folder = "/etc/nginx/svid"
      program = "nginx"

    Exit status: 0 done or ended by SIGTERM, 1 a set was refused or its program could not be told,
    2 wrong usage, 3 no such SVID, 4 the Workload API cannot be reached (with --once).
    """
    from cli.sidecar import program

    if check:
        settings = program.check(config)
        folders = [str(each.folder) for each in settings.svid]
        if output == "json":
            print_json({"file": str(config), "valid": True, "folders": folders})
        else:
            click.echo(f"{config} is valid, for {', '.join(folders)}")
        return
    program.run(config, once=once)
