"""`finial token`: let a node join."""

from collections.abc import Sequence
from typing import Any

import click

from cli.lazy import Listing
from cli.lifetime import Lifetime
from cli.place import Place, server_options
from cli.printing import output_option, print_json, print_table


@click.group(cls=Listing)
def token() -> None:
    """Let a node join by a token that is good for one agent, once."""


@token.command()
@click.option(
    "--ttl",
    type=Lifetime(1),
    default="10m",
    show_default=True,
    help="How long it waits to be used.",
)
@click.option("--spiffe-id", help="A further SPIFFE ID for the node, to register workloads under.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="HOST:PORT",
    help="Where the new node finds the server; may be repeated.",
)
@server_options
@output_option
def create(
    ttl: int, spiffe_id: str | None, addresses: Sequence[str], place: Place, output: str
) -> None:
    """Make a join string: server addresses, trust domain and token in one word.

    It is a secret until it is used. On the new machine:

    \b
      finial agent run --config agent.toml --join-file FILE    (`-` is standard input)

    \b
    Examples:
      finial token create --dir /tmp/finial > join
      finial token create | ssh node2 finial agent run --config /etc/finial/agent.toml --join-file -
    """
    from cli.administration import Administration
    from finial.spiffe.identity import TrustDomain
    from finial.wire.join_string import JoinString, split_address

    for address in addresses:
        split_address(address)
    with Administration(place) as server:
        made = server.post("/v1/join-tokens", _wish(ttl, spiffe_id))
    servers = tuple(addresses) or _reachable(made["servers"], place)
    join = JoinString(TrustDomain.parse(made["trust_domain"]), servers, made["value"]).render()
    if output == "json":
        print_json({**made, "servers": list(servers), "join": join})
        return
    click.echo(join)
    click.echo(
        f"for {', '.join(servers)}; expires at {made['expires_at']}; agent {made['agent_id']}",
        err=True,
    )


@token.command("list")
@server_options
@output_option
def list_(place: Place, output: str) -> None:
    """List the join tokens that wait to be used; never the tokens themselves.

    \b
    Example:
      finial token list
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/join-tokens"))
    if output == "json":
        print_json({"items": items})
        return
    columns = {
        "id": "ID",
        "agent_id": "AGENT",
        "spiffe_id": "SPIFFE ID",
        "expires_at": "EXPIRES AT",
    }
    print_table(items, columns, "no join token waits to be used")


def _wish(ttl: int, spiffe_id: str | None) -> dict[str, Any]:
    return {"ttl": ttl, **({"spiffe_id": spiffe_id} if spiffe_id else {})}


def _reachable(servers: Sequence[str], place: Place) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    host = urlsplit(place.url).hostname if place.url else None
    if host is None or len(servers) != 1:
        return tuple(servers)
    # Over HTTPS we know a name of the server that certainly leads there.
    port = servers[0].rpartition(":")[2]
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",)
