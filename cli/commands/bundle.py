"""`finial bundle`: the trust bundle."""

import json
from pathlib import Path

import click

from cli.lazy import Listing
from cli.place import Place, server_options
from cli.printing import output_option, print_json, print_table

_FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["pem", "spiffe"]),
    default="pem",
    show_default=True,
    help="PEM certificates, or the SPIFFE bundle document with JWT keys too.",
)


@click.group(cls=Listing)
def bundle() -> None:
    """Show or export the trust bundle: the keys that prove this trust domain's SVIDs."""


@bundle.command()
@_FORMAT
@server_options
@output_option
def show(format_: str, place: Place, output: str) -> None:
    """Print the bundle.

    \b
    Examples:
      finial bundle show
      finial bundle show --format spiffe
    """
    from cli.administration import Administration

    with Administration(place) as server:
        if output == "json":
            print_json(server.get("/v1/bundle"))
        elif format_ == "spiffe":
            click.echo(json.dumps(server.get("/v1/bundle"), indent=2))
        else:
            click.echo(server.text("/v1/bundle", format="pem"), nl=False)


@bundle.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_FORMAT
@server_options
@output_option
def export(file: Path, format_: str, place: Place, output: str) -> None:
    """Write the bundle to a file, which is replaced as a whole.

    \b
    Example:
      finial bundle export /etc/finial/bundle.pem
    """
    from cli.administration import Administration
    from finial.runtime.files import write_public

    with Administration(place) as server:
        text = server.text("/v1/bundle", format=format_)
    write_public(file, text.encode())
    if output == "json":
        print_json({"file": str(file), "format": format_})
    else:
        click.echo(f"wrote {file}")


@click.group(cls=Listing)
def authority() -> None:
    """Look at the keys that sign."""


@authority.command("list")
@server_options
@output_option
def list_(place: Place, output: str) -> None:
    """List the signing keys: prepared, active and old.

    \b
    Example:
      finial authority list
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/authorities"))
    if output == "json":
        print_json({"items": items})
        return
    columns = {
        "use": "USE",
        "phase": "PHASE",
        "authority_id": "AUTHORITY",
        "not_before": "FROM",
        "not_after": "UNTIL",
        "tainted": "TAINTED",
    }
    print_table(items, columns, "there are no authorities yet")
