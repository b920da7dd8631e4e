"""`finial identity`: how an identity stands."""

from typing import Any, Final

import click

from cli.place import Place, server_options
from cli.printing import output_option, plain, print_json

_SHOWN: Final = 10
_WAIT: Final = 25.0


@click.command()
@click.argument("spiffe_id")
@click.option("--watch", is_flag=True, help="Go on, and tell it again whenever it has changed.")
@server_options
@output_option
def identity(spiffe_id: str, watch: bool, place: Place, output: str) -> None:
    """Say how an identity stands: blocked or not, its entries, what lives, who obtained it.

    SPIFFE_ID may be the path alone.

    \b
    Examples:
      finial identity spiffe://example.org/orders
      finial identity orders --watch
    """
    from cli.administration import Administration, part

    path = f"/v1/identities/{part(spiffe_id.lstrip('/'))}"
    with Administration(place) as server:
        found, tag = server.changed(path)
        _tell(found, output)
        while watch:
            found, tag = server.changed(path, tag, wait=_WAIT)
            if found is not None:
                _tell(found, output)


def _tell(found: dict[str, Any] | None, output: str) -> None:
    assert found is not None
    if output == "json":
        print_json(found)
        return
    click.echo(f"{plain(found['id'])} is {found['standing']}")
    for block in found["blocks"]:
        end = f", until {block['until']}" if block["until"] else ""
        click.echo(
            f"  blocked since {block['since']} by {plain(block['who'])}{end}: "
            f"{plain(block['reason'])} ({block['kind']}, block {block['id']})"
        )
    for entry in found["entries"][:_SHOWN]:
        click.echo(f"  entry {entry['id']} below {plain(entry['parent_id'])}")
    more = "more than " if found["more"] else ""
    last = f", the last issued at {found['last_seen']}" if found["last_seen"] else ""
    noun = "live SVID" if found["svid_count"] == 1 else "live SVIDs"
    click.echo(f"  {more}{found['svid_count']} {noun}{last}")
    for agent in found["agents"][:_SHOWN]:
        state = "" if agent["connected"] else ", which is away"
        click.echo(
            f"    {agent['svids']} through {plain(agent['agent_id'])}{state}, "
            f"the last ends at {agent['until']}"
        )
