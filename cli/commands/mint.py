"""`finial mint`: sign an SVID by hand."""

from collections.abc import Sequence
from pathlib import Path

import click

from cli.lazy import Listing
from cli.lifetime import Lifetime
from cli.place import Place, server_options
from cli.printing import output_option, print_json


@click.group(cls=Listing)
def mint() -> None:
    """Sign an SVID by hand, without an entry or an agent."""


@mint.command()
@click.argument("spiffe_id")
@click.option("--dns", "dns_names", multiple=True, help="A DNS name for the certificate.")
@click.option("--ttl", type=Lifetime(), default=0, help="Such as 1h; 0: the server's default.")
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write svid.pem, key.pem (0600) and bundle.pem there.",
)
@server_options
@output_option
def x509(
    *,
    spiffe_id: str,
    dns_names: Sequence[str],
    ttl: int,
    folder: Path | None,
    place: Place,
    output: str,
) -> None:
    """Sign an X509-SVID for a new key, which is made here and never leaves.

    \b
    Example:
      finial mint x509 spiffe://example.org/legacy --dns legacy.internal --write ./legacy
    """
    from cli.administration import Administration
    from cli.request import new_request
    from finial.runtime.files import write_private, write_public

    key, csr = new_request(spiffe_id, dns_names)
    with Administration(place) as server:
        minted = server.post("/v1/svids/x509", {"csr": csr, "ttl": ttl})
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_private(folder / "key.pem", key.encode())
        write_public(folder / "svid.pem", minted["x509_svid"].encode())
        write_public(folder / "bundle.pem", minted["bundle"].encode())
    elif output == "text":
        click.echo(minted["x509_svid"] + key + minted["bundle"], nl=False)
    if output == "json":
        print_json(minted if folder else {**minted, "x509_svid_key": key})
    else:
        where = f"; wrote {folder}/svid.pem, key.pem, bundle.pem" if folder else ""
        click.echo(f"{minted['id']} until {minted['expires_at']}{where}", err=True)


@mint.command()
@click.argument("spiffe_id")
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    required=True,
    help="Whom the token is for; may be repeated.",
)
@click.option("--ttl", type=Lifetime(), default=0, help="Such as 1h; 0: the server's default.")
@click.option(
    "--write",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token there (0600).",
)
@server_options
@output_option
def jwt(
    *,
    spiffe_id: str,
    audiences: Sequence[str],
    ttl: int,
    file: Path | None,
    place: Place,
    output: str,
) -> None:
    """Sign a JWT-SVID.

    \b
    Example:
      finial mint jwt spiffe://example.org/ci --audience vault --write token
    """
    from cli.administration import Administration
    from finial.runtime.files import write_private

    wish = {"id": spiffe_id, "audience": list(audiences), "ttl": ttl}
    with Administration(place) as server:
        minted = server.post("/v1/svids/jwt", wish)
    if file is not None:
        write_private(file, minted.pop("token").encode())
    if output == "json":
        print_json(minted)
    elif file is None:
        click.echo(minted["token"])
    else:
        click.echo(f"{minted['id']} until {minted['expires_at']}; wrote {file}")
