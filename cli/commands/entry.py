"""`finial entry`: which workload gets which identity."""

from collections.abc import Sequence
from typing import Any

import click

from cli.commands.entry_options import (
    EXPIRY,
    FORCE,
    changes,
    describing_options,
    filter_options,
)
from cli.lazy import Listing
from cli.place import Place, server_options
from cli.printing import output_option, print_fields, print_json, print_table

_LABELS = {
    "id": "Entry ID",
    "spiffe_id": "SPIFFE ID",
    "parent_id": "Parent ID",
    "selectors": "Selector",
    "x509_svid_ttl": "X509-SVID TTL",
    "jwt_svid_ttl": "JWT-SVID TTL",
    "federates_with": "Federates with",
    "dns_names": "DNS name",
    "hint": "Hint",
    "admin": "Admin",
    "downstream": "Downstream",
    "store_svid": "Store SVID",
    "attributes": "Attributes",
    "expires_at": "Expires at",
    "created_at": "Created at",
    "revision_number": "Revision",
    "warnings": "Warning",
}


@click.group(cls=Listing)
def entry() -> None:
    """Say which workload gets which identity."""


@entry.command()
@click.argument("spiffe_id", required=False)
@click.option("--spiffe-id", "named", metavar="ID", help="The same as the argument.")
@click.option(
    "--selector",
    "selectors",
    multiple=True,
    help="Such as unix:uid:1000; all have to match.",
)
@click.option(
    "--for-pid",
    type=click.IntRange(1),
    metavar="N",
    help="Have this process looked at, and propose its selectors.",
)
@click.option(
    "--select",
    "choices",
    multiple=True,
    help="With --for-pid: what a selector of the process begins with, such as unix:uid.",
)
@click.option("--agent", metavar="ID", help="With --for-pid: on whose node the process runs.")
@click.option("--parent", help="The agent's SPIFFE ID; the only agent's if there is just one.")
@click.option("--id", "entry_id", default="", help="An entry ID of your choice.")
@FORCE
@describing_options
@EXPIRY
@server_options
@output_option
def create(
    *,
    spiffe_id: str | None,
    named: str | None,
    selectors: Sequence[str],
    for_pid: int | None,
    choices: Sequence[str],
    agent: str | None,
    parent: str | None,
    entry_id: str,
    force: bool,
    place: Place,
    output: str,
    **described: Any,
) -> None:
    """Register a workload.

    With --for-pid the agent looks at a process and nothing is created until selectors are chosen.

    \b
    Examples:
      finial entry create spiffe://example.org/web --selector unix:uid:1000
      finial entry create spiffe://example.org/db --selector unix:user:postgres \\
        --dns db.internal --x509-svid-ttl 10m
      finial entry create --for-pid 4711
      finial entry create spiffe://example.org/web --for-pid 4711 --select unix:uid
    """
    from cli.administration import Administration

    if for_pid is None and (choices or agent):
        raise click.UsageError("--select and --agent go with --for-pid N")
    if for_pid is None and not selectors:
        raise click.UsageError("name a --selector, such as unix:uid:1000, or a process: --for-pid")
    if for_pid is not None:
        found = _simulated(place, agent, for_pid)
        if not selectors and not choices:
            _propose(found, for_pid, output, agent or "")
            return
        selectors, parent = _chosen(found, choices, selectors), parent or found.agent_id
    if bool(spiffe_id) == bool(named):
        raise click.UsageError("name one SPIFFE ID, such as spiffe://example.org/web")
    with Administration(place) as server:
        document = {
            "spiffe_id": spiffe_id or named,
            "parent_id": parent or _only_agent(server),
            "selectors": list(selectors),
            **({"id": entry_id} if entry_id else {}),
            **changes(described),
        }
        created = server.post("/v1/entries", document, force=force or None)
    _show(created, output)


@entry.command("list")
@filter_options
@server_options
@output_option
def list_(place: Place, output: str, **wanted: Any) -> None:
    """List entries.

    \b
    Examples:
      finial entry list
      finial entry list --selector unix:uid:1000 --output json
    """
    from cli.administration import Administration

    with Administration(place) as server:
        items = list(server.every("/v1/entries", **wanted))
    if output == "json":
        print_json({"items": items})
        return
    columns = {
        "id": "ENTRY ID",
        "spiffe_id": "SPIFFE ID",
        "selectors": "SELECTORS",
        "parent_id": "PARENT",
    }
    print_table(items, columns, "there are no such entries")


@entry.command()
@click.argument("entry_id")
@server_options
@output_option
def show(entry_id: str, place: Place, output: str) -> None:
    """Show one entry.

    \b
    Example:
      finial entry show 3f0c5a9e-8d0b-4a53-9d0e-2f1c6f0b7a11
    """
    from cli.administration import Administration, part

    with Administration(place) as server:
        found = server.get(f"/v1/entries/{part(entry_id)}")
    _show(found, output)


@entry.command()
@click.argument("entry_id")
@click.option("--spiffe-id", help="Another SPIFFE ID.")
@click.option("--selector", "selectors", multiple=True, help="Takes the place of all selectors.")
@click.option("--parent", help="Another parent.")
@click.option("--if-revision", type=int, help="Change it only if it still has this revision.")
@FORCE
@describing_options
@EXPIRY
@server_options
@output_option
def update(
    *,
    entry_id: str,
    spiffe_id: str | None,
    selectors: Sequence[str],
    parent: str | None,
    if_revision: int | None,
    force: bool,
    place: Place,
    output: str,
    **described: Any,
) -> None:
    """Change one entry; what is not named stays as it is.

    \b
    Examples:
      finial entry update ID --x509-svid-ttl 10m
      finial entry update ID --selector unix:uid:1000 --selector unix:path:/usr/bin/web
    """
    from cli.administration import Administration, part

    patch = changes(described)
    named = {"spiffe_id": spiffe_id, "parent_id": parent, "selectors": list(selectors)}
    patch.update({name: value for name, value in named.items() if value})
    if not patch:
        raise click.UsageError("say what to change; see finial entry update --help")
    revision = f'"{if_revision}"' if if_revision is not None else ""
    with Administration(place) as server:
        changed = server.patch(
            f"/v1/entries/{part(entry_id)}", patch, revision=revision, force=force or None
        )
    _show(changed, output)


@entry.command()
@click.argument("entry_ids", nargs=-1, required=True)
@server_options
@output_option
def delete(entry_ids: Sequence[str], place: Place, output: str) -> None:
    """Delete entries; their workloads lose the identity at once.

    \b
    Example:
      finial entry delete ID [ID ...]
    """
    from cli.administration import Administration, part

    with Administration(place) as server:
        for entry_id in entry_ids:
            server.delete(f"/v1/entries/{part(entry_id)}")
            if output == "text":
                click.echo(f"deleted {entry_id}")
    if output == "json":
        print_json({"deleted": list(entry_ids)})


@entry.command()
@filter_options
@server_options
@output_option
def count(place: Place, output: str, **wanted: Any) -> None:
    """Count entries.

    \b
    Example:
      finial entry count --parent spiffe://example.org/spire/agent/x509pop/0123
    """
    from cli.administration import Administration

    with Administration(place) as server:
        counted = server.get("/v1/entries:count", **wanted)
    if output == "json":
        print_json(counted)
    else:
        number = counted["count"]
        click.echo(f"{number} registration {'entry' if number == 1 else 'entries'}")


def _only_agent(server: Any, option: str = "--parent") -> str:
    found = server.get("/v1/agents", page_size=2, banned=False)["items"]
    if len(found) == 1:
        return str(found[0]["id"])
    raise click.UsageError(
        f"no agent has attested yet: give {option}"
        if not found
        else f"there is more than one agent: name yours with {option} (see finial agent list)"
    )


def _simulated(place: Place, agent: str | None, pid: int) -> Any:
    """What the agent of that process finds."""
    from cli.administration import Administration
    from cli.explaining.asking import Asked, ask_server

    if agent is None:
        with Administration(place) as server:
            agent = _only_agent(server, "--agent")
    return ask_server(place, agent, Asked(pid=pid, simulated=True))


def _propose(found: Any, pid: int, output: str, agent: str) -> None:
    from cli.explaining.proposing import propose

    propose(found, pid, output, agent)


def _chosen(found: Any, choices: Sequence[str], named: Sequence[str]) -> list[str]:
    from cli.explaining.proposing import chosen, proposals

    return chosen(proposals(found), choices, named)


def _show(document: dict[str, Any], output: str) -> None:
    if output == "json":
        print_json(document)
    else:
        print_fields(document, _LABELS)
