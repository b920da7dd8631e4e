"""`finial validate`: have an SVID validated by the agent."""

from typing import Any

import click

from cli.endpoint import resolve, socket_option
from cli.lazy import Listing
from cli.printing import output_option, plain, print_json
from cli.tokens import read_secret


@click.group(cls=Listing)
def validate() -> None:
    """Have an SVID validated by the agent, as a workload."""


@validate.command()
@click.argument("file", default="-")
@click.option("--audience", required=True, help="Who you are, for whom the token has to be.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=5.0, show_default=True, help="In seconds."
)
@socket_option
@output_option
def jwt(file: str, audience: str, timeout: float, socket: str | None, output: str) -> None:
    """Validate the JWT-SVID in a file, or from standard input (`-`).

    \b
    Example:
      finial fetch jwt --audience me | finial validate jwt --audience me
    """
    import asyncio

    from google.protobuf.json_format import MessageToDict

    from cli.workload import workload_api

    endpoint = resolve(socket)
    token = read_secret(file)

    async def ask() -> Any:
        async with workload_api(endpoint, timeout) as api:
            return await api.validate(token, audience)

    answer = asyncio.run(ask())
    claims = MessageToDict(answer.claims)
    if output == "json":
        print_json({"valid": True, "spiffe_id": answer.spiffe_id, "claims": claims})
        return
    click.echo(f"valid: {plain(answer.spiffe_id)}")
    for name, value in claims.items():
        click.echo(f"  {plain(name)}: {plain(value)}")
