"""How callees and agents stand to policies: modes, what shadow found, who lags behind."""

from typing import Any

import click

from cli.place import Place, server_options
from cli.printing import output_option, plain, print_json, print_table

_MODES = {
    "callee": "CALLEE",
    "mode": "MODE",
    "audit": "AUDIT",
    "changed_at": "SINCE",
    "changed_by": "BY",
}
_REPORT = {
    "count": "COUNT",
    "caller": "CALLER",
    "callee": "CALLEE",
    "method": "METHOD",
    "path": "PATH",
    "reason": "REASON",
    "last_seen": "LAST SEEN",
}
_AGENTS = {
    "agent_id": "AGENT",
    "connected": "CONNECTED",
    "last_connected_at": "LEFT",
    "policies": "POLICIES",
    "blocks": "BLOCKS",
}


@click.command()
@click.argument("callee", required=False)
@click.argument("mode", required=False, type=click.Choice(["open", "shadow", "enforce", "unset"]))
@click.option(
    "--audit",
    type=click.Choice(["denials", "all"]),
    help="Which decisions are audited; by default what it was, and denials at first.",
)
@server_options
@output_option
def mode(
    callee: str | None, mode: str | None, audit: str | None, place: Place, output: str
) -> None:
    """List the modes of callees, show what holds for one, or set it.

    Open asks no rule, shadow asks and lets everything through, enforce denies what no rule allows.
    CALLEE is a SPIFFE ID, or a prefix such as spiffe://example.org/team-a/*.

    \b
    Examples:
      finial policy mode
      finial policy mode spiffe://example.org/payment shadow
      finial policy mode spiffe://example.org/payment enforce --audit all
    """
    from cli.administration import Administration, part

    if audit and mode in (None, "unset"):
        raise click.UsageError("--audit goes with a mode: open, shadow or enforce")
    if callee is None:
        list_items(place, output, "/v1/callees", _MODES, "no callee has a mode")
        return
    with Administration(place) as server:
        resource = f"/v1/callees/{part(callee)}"
        if mode == "unset":
            server.delete(resource)
        elif mode is not None:
            before = server.get(resource)["audit"] if audit is None else audit
            server.put(resource, {"mode": mode, "audit": before})
        found = server.get(resource)
    if output == "json":
        print_json(found)
        return
    origin = f"set for {plain(found['set_for'])}" if found["set_for"] else "set by nobody"
    click.echo(f"{plain(found['callee'])} is {found['mode']}, {origin}")
    if not found["served"]:
        click.echo("  no entry grants it: is it spelled like this?")
    click.echo(f"  policies that can be about it: {found['policies']}")
    if found["audit"] == "all":
        click.echo("  all decisions are audited, not denials alone")
    if found["mode"] == "enforce" and not found["policies"]:
        click.echo("  no rule allows anything, so that every call is denied")


@click.command()
@click.option("--callee", help="Of one callee, or all below a prefix.")
@server_options
@output_option
def report(callee: str | None, place: Place, output: str) -> None:
    """Show what callees in shadow would have denied, by caller, callee, method and path.

    A row that should go on needs a rule before its callee enforces.

    \b
    Example:
      finial policy report --callee spiffe://example.org/payment
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/traffic", by="requests", outcome="shadowed", callee=callee))
    items.sort(key=lambda each: -each["count"])
    if output == "json":
        print_json({"items": items})
        return
    rows = [
        {**each, "caller": each["caller"] or "nobody", "path": each["path"] or each["example"]}
        for each in items
    ]
    print_table(rows, _REPORT, "nothing would have been denied")


@click.command()
@click.option("--lagging", is_flag=True, help="Only those that may decide by what is out of date.")
@server_options
@output_option
def agents(lagging: bool, place: Place, output: str) -> None:
    """List the agents with the versions of the policies and blocks that they enforce.

    \b
    Example:
      finial policy agents --lagging
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/enforcement", lagging="true" if lagging else None))
    if output == "json":
        print_json({"items": items})
        return
    rows = [
        {
            **each,
            **{topic: _enforced(each[topic]) for topic in ("policies", "blocks")},
        }
        for each in items
    ]
    print_table(rows, _AGENTS, "no agent lags" if lagging else "no agent is known")


def list_items(place: Place, output: str, path: str, columns: dict[str, str], none: str) -> None:
    """Print a list of the server's."""
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every(path))
    if output == "json":
        print_json({"items": items})
    else:
        print_table(items, columns, none)


def _enforced(versions: dict[str, Any] | None) -> str:
    if versions is None:
        return "-"
    if versions["lags"]:
        return f"{versions['applied']}, told {versions['told']}"
    return str(versions["applied"])
