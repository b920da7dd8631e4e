"""`finial up`: a server and an agent in the foreground, for development."""

from pathlib import Path
from typing import Any

import click

from cli.printing import output_option


def _lifetime(_: click.Context, parameter: click.Parameter, value: str | None) -> float:
    from finial.runtime.duration import parse_duration

    if value is None:
        return 0.0
    try:
        found = parse_duration(f"{value}s" if value.isdigit() else value)
    except ValueError as fault:
        raise click.BadParameter(str(fault), param=parameter) from None
    if found <= 0:
        raise click.BadParameter("a lifetime is longer than 0", param=parameter)
    return found


def _attestors(_: click.Context, parameter: click.Parameter, file: Path | None) -> dict[str, Any]:
    from finial.runtime.settings import SettingsError, read_toml

    if file is None:
        return {"unix": {}}
    try:
        found = read_toml(file)
    except SettingsError as wrong:
        raise click.BadParameter("; ".join(wrong.problems), param=parameter) from None
    if not found or not all(isinstance(table, dict) for table in found.values()):
        raise click.BadParameter(
            f"{file} has a table for each attestor, such as [unix], and nothing else",
            param=parameter,
        )
    return found


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    envvar="FINIAL_DIR",
    required=True,
    metavar="D",
    help="Where everything is kept [FINIAL_DIR].",
)
@click.option("--trust-domain", default="example.org", show_default=True, help="The trust domain.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="For agents, on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="For HTTPS, on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--ca-ttl",
    callback=_lifetime,
    metavar="DURATION",
    help="How long authorities live, such as 24h.",
)
@click.option(
    "--svid-ttl",
    callback=_lifetime,
    metavar="DURATION",
    help="How long X509-SVIDs live, such as 1h.",
)
@click.option(
    "--attestors",
    type=click.Path(path_type=Path),
    callback=_attestors,
    metavar="FILE",
    help="How workloads are recognised: TOML, a table an attestor, such as [docker]; unix alone.",
)
@click.option("--no-rate-limits", is_flag=True, help="For load tests.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    default="warn",
    show_default=True,
)
@output_option
def up(directory: Path, output: str, **wishes: Any) -> None:
    """Run a server and an agent in the foreground, for development.

    What it makes stays in D, and a second start goes on with it.

    \b
    Examples:
      finial up --dir /tmp/finial
      finial up --dir /tmp/finial --attestors examples/compose/attestors.toml
      finial up --dir /tmp/finial --ca-ttl 40s --svid-ttl 8s --port 0 --output json
    """
    import asyncio

    from cli.up import layout as place
    from cli.up.configuration import Wishes
    from cli.up.pair import Pair
    from finial.spiffe.identity import TrustDomain

    TrustDomain.parse(wishes["trust_domain"])
    asked = Wishes(
        trust_domain=wishes["trust_domain"],
        port=wishes["port"],
        rest_port=wishes["rest_port"],
        ca_ttl=wishes["ca_ttl"],
        svid_ttl=wishes["svid_ttl"],
        rate_limits=not wishes["no_rate_limits"],
        log_level=wishes["log_level"],
        attestors=wishes["attestors"],
    )
    layout = place.prepare(directory)
    # Held until the process ends.
    place.lock(layout)
    tell = _tell_json if output == "json" else _tell_people
    asyncio.run(
        Pair(layout, asked, lambda said: click.echo(f"finial up: {said}", err=True)).run(tell)
    )


def _tell_json(made: dict[str, Any]) -> None:
    from cli.printing import print_json

    print_json(made)


def _tell_people(made: dict[str, Any]) -> None:
    import os
    from shlex import quote

    folder = quote(str(Path(made["bundle_path"]).parent))
    socket = quote(f"unix://{made['workload_socket']}")
    trust_domain = made["agent_id"].removeprefix("spiffe://").partition("/")[0]
    click.echo(f"""\
finial is up; stop it with Ctrl-C.

  server        pid {made["server_pid"]}, for agents on {made["grpc_address"]}
  agent         pid {made["agent_pid"]}, {made["agent_id"]}
  Workload API  {made["workload_socket"]}
  REST          {made["admin_socket"]} and {made["rest_address"]}
  bundle        {made["bundle_path"]}

Try next, in another terminal:

  finial entry create --dir {folder} spiffe://{trust_domain}/me --selector unix:uid:{os.getuid()}
  finial fetch x509 --socket {socket}
  finial entry list --dir {folder}
""")
