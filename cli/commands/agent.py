"""`finial agent`: run a node's agent; list, ban and evict agents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli.agent_path import agent_resource
from cli.lazy import Listing
from cli.lifetime import Lifetime
from cli.place import Place, server_options
from cli.printing import output_option, print_fields, print_json, print_table

_LABELS = {
    "id": "SPIFFE ID",
    "attestation_type": "Attestation type",
    "x509svid_serial_number": "Serial number",
    "x509svid_expires_at": "Expires at",
    "selectors": "Selector",
    "banned": "Banned",
    "can_reattest": "Can re-attest",
    "agent_version": "Agent version",
}


@click.group(cls=Listing)
def agent() -> None:
    """Run a node's agent; list, ban and evict agents."""


@agent.command("run")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="See examples/agent.toml; /etc/finial/agent.toml if it exists.",
)
@click.option(
    "--join-file",
    metavar="FILE",
    help="A join string, of `finial token create`; `-` is standard input.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Takes the place of data_dir in the configuration.",
)
@click.option("--check", is_flag=True, help="Validate the configuration and start nothing.")
@output_option
def run_(
    config: Path | None, join_file: str | None, data_dir: Path | None, check: bool, output: str
) -> None:
    """Run the agent of this node until SIGTERM.

    With a join string no configuration is needed: it names the servers and the trust domain, and
    proves each side to the other.

    \b
    Examples:
      finial agent run --join-file join
      finial agent run --config /etc/finial/agent.toml
      finial agent run --config /etc/finial/agent.toml --check
    """
    from cli.running import AgentWishes, run_agent

    run_agent(AgentWishes(config, join_file, data_dir), check=check, output=output)


@agent.command("list")
@click.option("--attestation-type", help="Only those that attested like this, such as x509pop.")
@click.option("--selector", multiple=True, help="Only with these selectors.")
@click.option("--banned/--not-banned", default=None, help="Only (not) banned ones.")
@click.option("--expires-before", metavar="TIME", help="Only those whose SVID ends before.")
@server_options
@output_option
def list_(place: Place, output: str, **wanted: Any) -> None:
    """List the agents that have attested.

    \b
    Examples:
      finial agent list
      finial agent list --banned --output json
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/agents", **wanted))
    if output == "json":
        print_json({"items": items})
        return
    columns = {
        "id": "SPIFFE ID",
        "attestation_type": "ATTESTED BY",
        "x509svid_expires_at": "EXPIRES AT",
        "banned": "BANNED",
        "can_reattest": "CAN RE-ATTEST",
    }
    print_table(items, columns, "no agent has attested yet")


@agent.command()
@click.argument("agent_id")
@server_options
@output_option
def show(agent_id: str, place: Place, output: str) -> None:
    """Show one agent.

    \b
    Example:
      finial agent show spiffe://example.org/spire/agent/x509pop/0123
    """
    from cli.administration import Administration

    with Administration(place) as server:
        found = server.get(agent_resource(agent_id))
    if output == "json":
        print_json(found)
    else:
        print_fields(found, _LABELS)


@agent.command()
@click.argument("agent_id")
@server_options
@output_option
def ban(agent_id: str, place: Place, output: str) -> None:
    """Take an agent's identity away until it is evicted.

    \b
    Example:
      finial agent ban spiffe://example.org/spire/agent/x509pop/0123
    """
    from cli.administration import Administration

    with Administration(place) as server:
        server.post(agent_resource(agent_id) + ":ban", {})
    _done("banned", [agent_id], output)


@agent.command()
@click.argument("agent_id")
@server_options
@output_option
def evict(agent_id: str, place: Place, output: str) -> None:
    """Forget an agent; it may attest again where its attestor allows that.

    \b
    Example:
      finial agent evict spiffe://example.org/spire/agent/x509pop/0123
    """
    from cli.administration import Administration

    with Administration(place) as server:
        server.delete(agent_resource(agent_id))
    _done("evicted", [agent_id], output)


@agent.command()
@click.option(
    "--expired-for",
    type=Lifetime(),
    default="30d",
    show_default=True,
    help="How long ago the agent's SVID ended.",
)
@click.option("--dry-run", is_flag=True, help="Only say which ones.")
@server_options
@output_option
def purge(expired_for: int, dry_run: bool, place: Place, output: str) -> None:
    """Evict the agents that have been gone for long; banned ones stay banned.

    \b
    Examples:
      finial agent purge --dry-run
      finial agent purge --expired-for 7d
    """
    from cli.administration import Administration
    from cli.printing import instant
    from finial.runtime.clock import SystemClock

    before = instant(int(SystemClock().now()) - expired_for)
    with Administration(place) as server:
        gone = list(server.every("/v1/agents", expires_before=before, banned=False))
        for one in gone:
            if not dry_run:
                server.delete(agent_resource(one["id"]))
    _done("would be evicted" if dry_run else "evicted", [one["id"] for one in gone], output)


def _done(act: str, ids: Sequence[str], output: str) -> None:
    if output == "json":
        print_json({act.replace(" ", "_"): list(ids)})
        return
    for agent_id in ids:
        click.echo(f"{act}: {agent_id}")
    if not ids:
        click.echo("there are no such agents")
