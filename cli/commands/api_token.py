"""`finial api-token`: let an administrator in over HTTPS."""

from collections.abc import Sequence

import click

from cli.lazy import Listing
from cli.lifetime import Lifetime
from cli.place import Place, server_options
from cli.printing import output_option, print_json, print_table


@click.group("api-token", cls=Listing)
def api_token() -> None:
    """Let an administrator or a program in over HTTPS."""


@api_token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="What it may do, such as entries:write; may be repeated.",
)
@click.option(
    "--ttl",
    type=Lifetime(1),
    default="90d",
    show_default=True,
    help="How long it is good.",
)
@server_options
@output_option
def create(name: str, scopes: Sequence[str], ttl: int, place: Place, output: str) -> None:
    """Make an API token and show it, this once.

    \b
    Scopes: entries:read entries:write agents:read agents:write tokens:read tokens:write
            issued:read authorities:read mint policies:read policies:write blocks:read
            blocks:write identities:read traffic:read metrics:read docs:read

    \b
    Example:
      finial api-token create ci --scope entries:read --scope entries:write > token
      finial entry list --server https://ca.example.org:8443 --token-file token --bundle bundle.pem
    """
    from cli.administration import Administration

    with Administration(place) as server:
        made = server.post("/v1/api-tokens", {"name": name, "scopes": list(scopes), "ttl": ttl})
    if output == "json":
        print_json(made)
        return
    click.echo(made["token"])
    click.echo(f"{made['id']}: shown once; expires at {made['expires_at']}", err=True)


@api_token.command("list")
@server_options
@output_option
def list_(place: Place, output: str) -> None:
    """List API tokens; never the tokens themselves.

    \b
    Example:
      finial api-token list
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/api-tokens"))
    if output == "json":
        print_json({"items": items})
        return
    columns = {"id": "ID", "name": "NAME", "scopes": "SCOPES", "expires_at": "EXPIRES AT"}
    print_table(items, columns, "there are no API tokens")


@api_token.command()
@click.argument("token_id")
@server_options
@output_option
def revoke(token_id: str, place: Place, output: str) -> None:
    """Revoke an API token, at once.

    \b
    Example:
      finial api-token revoke ID
    """
    from urllib.parse import quote

    from cli.administration import Administration

    with Administration(place) as server:
        server.delete(f"/v1/api-tokens/{quote(token_id, safe='')}")
    if output == "json":
        print_json({"revoked": token_id})
    else:
        click.echo(f"revoked {token_id}")
