"""`finial block`, `finial unblock`, `finial blocks`: lock something out everywhere, at once."""

from typing import Any

import click

from cli.place import Place, server_options
from cli.printing import output_option, plain, print_json, print_table

_KINDS = click.option(
    "--kind",
    type=click.Choice(["spiffe_id", "entry", "agent", "selector", "serial", "jti"]),
    help="What SUBJECT is; by default a SPIFFE ID, or a selector if it has a colon.",
)
_DETAIL = 10


@click.command()
@click.argument("subject")
@click.option(
    "--reason", required=True, help="Why, for operators and the audit log; workloads are not told."
)
@_KINDS
@click.option("--until", help="When it ends by itself, such as 2030-01-01T00:00:00Z.")
@click.option("--for", "lasting", help="How long it lasts, such as 2h; instead of --until.")
@click.option("--dry-run", is_flag=True, help="Say what it would hit, and block nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Block it although it hits nothing that the server knows of: a selector that workloads "
    "may show one day, a serial number from before a restore.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 10),
    default=2.0,
    show_default=True,
    help="Seconds to wait at most until agents say that they enforce it.",
)
@server_options
@output_option
def block(
    *,
    subject: str,
    reason: str,
    kind: str | None,
    until: str | None,
    lasting: str | None,
    dry_run: bool,
    force: bool,
    wait: float,
    place: Place,
    output: str,
) -> None:
    """Lock out an identity, an entry, an agent, a selector, a serial number or a token.

    From then on nothing is issued for it, every agent that can be reached refuses it, and the
    revocation lists name it. What is printed says who could still accept what, and until when.

    \b
    Examples:
      finial block spiffe://example.org/orders --reason "key leaked"
      finial block docker:label:app:orders --reason "bad image" --dry-run
      finial block --kind serial 7a:01:ff --reason "copied from a laptop" --for 2h
    """
    from cli.administration import Administration

    wish = {"kind": kind or _guess(subject), "subject": subject, "reason": reason}
    end = _end(until, lasting)
    if end:
        wish["until"] = end
    how: dict[str, Any] = {"dry_run": "true"} if dry_run else {"wait": wait}
    with Administration(place) as server:
        made = server.post("/v1/blocks", wish, **how, force="true" if force else None)
    if output == "json":
        print_json(made)
    else:
        _tell(made)


@click.command()
@click.argument("subject")
@server_options
@output_option
def unblock(subject: str, place: Place, output: str) -> None:
    """Lift a block, named by its id or by what it blocks.

    SVIDs of before that have not expired are good again.

    \b
    Example:
      finial unblock spiffe://example.org/orders
    """
    from cli.administration import Administration, part
    from finial.spiffe.refusal import Kind, Refusal

    with Administration(place) as server:
        found = [each for each in server.every("/v1/blocks") if _is(each, subject)]
        if not found:
            raise Refusal(
                Kind.NOT_FOUND,
                "nothing like this is blocked",
                field="subject",
                value=subject,
                remedy="finial blocks lists what is",
            )
        for each in found:
            server.delete(f"/v1/blocks/{part(each['id'])}")
    if output == "json":
        print_json({"items": found})
        return
    for each in found:
        click.echo(f"unblocked {plain(each['subject'])}, which was: {plain(each['reason'])}")


@click.command()
@click.argument("block_id", required=False)
@click.option("--crl", is_flag=True, help="The authorities' revocation lists in PEM instead.")
@server_options
@output_option
def blocks(*, block_id: str | None, crl: bool, place: Place, output: str) -> None:
    """List what is blocked, or show one block, what it hits and which agents enforce it.

    \b
    Examples:
      finial blocks
      finial blocks --crl > crl.pem
    """
    from cli.administration import Administration, part

    with Administration(place) as server:
        if crl:
            click.echo(server.text("/v1/crls"), nl=False)
            return
        if block_id is not None:
            shown = server.get(f"/v1/blocks/{part(block_id)}")
            if output == "json":
                print_json(shown)
            else:
                _tell(shown)
            return
        items = list(server.every("/v1/blocks"))
    if output == "json":
        print_json({"items": items})
        return
    columns = {
        "id": "ID",
        "kind": "KIND",
        "subject": "SUBJECT",
        "since": "SINCE",
        "until": "UNTIL",
        "reason": "REASON",
        "who": "BY",
    }
    print_table(items, columns, "nothing is blocked")


def _is(block: dict[str, str], named: str) -> bool:
    """Whether a block is named by its id, or by what it blocks as that may be given."""
    if named in (block["id"], block["subject"]):
        return True
    if block["kind"] != "serial" or named.isdecimal():
        return False
    try:
        return str(int(named.replace(":", ""), 16)) == block["subject"]
    except ValueError:
        return False


def _guess(subject: str) -> str:
    if subject.startswith("spiffe://") or ":" not in subject:
        return "spiffe_id"
    return "selector"


def _end(until: str | None, lasting: str | None) -> str | None:
    if until and lasting:
        raise click.UsageError("give one of --until and --for")
    if lasting is None:
        return until and _instant(until)
    from cli.printing import instant
    from finial.runtime.clock import SystemClock
    from finial.runtime.duration import parse_duration

    try:
        return instant(int(SystemClock().now() + parse_duration(lasting)))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _instant(text: str) -> str:
    import datetime as dt

    try:
        given = dt.datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        raise click.UsageError(f"--until is a time such as 2030-01-01T00:00:00Z, not {text!r}")
    return text


def _tell(made: dict[str, Any]) -> None:
    said = made["block"]
    end = f", until {said['until']}" if said["until"] else ""
    begun = "would block" if made["dry_run"] else "blocked"
    click.echo(f"{begun} {said['kind']} {plain(said['subject'])}: {plain(said['reason'])}{end}")
    if not made["dry_run"]:
        click.echo(f"  block {said['id']}")
    _tell_hits(made["hits"])
    if made["reception"]:
        _tell_reception(made["reception"])
    for each in made["hits"]["remains"]:
        end = each["until"] or "it ends, which its trust domain alone knows,"
        click.echo(f"until {end} {plain(each['who'])} {plain(each['what'])}")


def _tell_hits(hits: dict[str, Any]) -> None:
    more = "more than " if hits["more"] else ""
    click.echo(
        f"  hits {_many(hits['entry_count'], 'entry', 'entries')}, "
        f"{more}{_many(hits['svid_count'], 'live SVID', 'live SVIDs')}, "
        f"{_many(len(hits['agents']), 'agent', 'agents')}"
    )
    for entry in hits["entries"][:_DETAIL]:
        click.echo(f"    entry {entry['id']}  {plain(entry['spiffe_id'])}")
    for svid in hits["svids"][:_DETAIL]:
        click.echo(f"    {svid['kind']} {svid['serial']}  ends {svid['expires_at']}")
    for agent in hits["agents"][:_DETAIL]:
        click.echo(f"    agent {plain(agent)}")


def _tell_reception(reception: dict[str, Any]) -> None:
    listening = len(reception["applied"]) + len(reception["waiting"])
    click.echo(
        f"enforced by the server and {len(reception['applied'])} of {listening} agents "
        f"that listen, after {reception['seconds']:.3f} s"
    )
    for name, what in (
        ("waiting", "has not said so yet"),
        ("deaf", "knows nothing of blocks; the identity is withheld from it"),
        ("unreachable", "cannot be reached"),
    ):
        for agent in reception[name][:_DETAIL]:
            click.echo(f"  agent {plain(agent)} {what}")
        if len(reception[name]) > _DETAIL:
            click.echo(f"  and {len(reception[name]) - _DETAIL} more")


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
