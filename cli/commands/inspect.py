"""`finial inspect`: show and judge a document, offline."""

from typing import Any

import click

from cli.printing import output_option, plain, print_json

MAX_BYTES = 4 * 1024 * 1024


@click.command()
@click.argument("file")
@output_option
@click.pass_context
def inspect(ctx: click.Context, file: str, output: str) -> int:
    """Show an X509-SVID, bundle or JWT-SVID and name what is wrong with it, by clause.

    FILE is PEM, DER, JSON or a token; `-` is standard input. Nothing is asked of any server, and
    no signature is checked. Exit status 1 if a rule is broken.

    \b
    Examples:
      finial inspect svid.pem
      finial fetch jwt --audience me | finial inspect -
    """
    from finial.spiffe.lint import lint

    found = lint(_read(file))
    if output == "json":
        print_json({**_document(found), "flawless": found.flawless})
    else:
        _tell(found, 0)
        click.echo("no rule is broken" if found.flawless else "a rule is broken")
    return 0 if found.flawless else 1


def _read(file: str) -> bytes:
    try:
        with click.open_file(file, "rb") as stream:
            document = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        raise click.UsageError(f"cannot read {file}: {fault.strerror}") from fault
    if len(document) > MAX_BYTES:
        raise click.UsageError(f"{file} is longer than 4 MiB")
    return bytes(document)


def _document(found: Any) -> dict[str, Any]:
    return {
        "kind": str(found.kind),
        "name": found.name,
        "fields": dict(found.fields),
        "findings": [
            {"severity": str(one.severity), "sentence": one.sentence, "clause": one.clause}
            for one in found.findings
        ],
        "parts": [_document(part) for part in found.parts],
    }


def _tell(found: Any, depth: int) -> None:
    margin = "  " * depth
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    title = f"{found.name}: {found.kind}" if found.name else str(found.kind)
    click.secho(f"{margin}{title}", bold=True)
    width = max((len(name) for name, _ in found.fields), default=0)
    for name, value in found.fields:
        click.echo(f"{margin}  {name:<{width}}  {plain(value)}")
    for one in found.findings:
        mark = click.style(f"{one.severity}:", fg=colours.get(str(one.severity)))
        click.echo(f"{margin}  {mark} {plain(one.sentence)} [{one.clause}]")
    for part in found.parts:
        _tell(part, depth + 1)
