"""`finial policy`: who may call whom."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cli.commands.callees import agents, list_items, mode, report
from cli.lazy import Listing
from cli.place import Place, server_options
from cli.printing import output_option, plain, print_fields, print_json

_PATIENCE: Final = 75.0
"""Seconds for what may take long with thousands of policies; the server gives up before."""

_FILES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)


@click.group(cls=Listing)
def policy() -> None:
    """Say who may call whom: rules as JSON or Cedar in files, and how much each callee enforces."""


for _command in (mode, report, agents):
    policy.add_command(_command)


@policy.command()
@_FILES
@server_options
@output_option
def apply(files: Sequence[Path], place: Place, output: str) -> None:
    """Register the policies in files, or change those that have their names: all, or none.

    A policy has no effect on a callee without a mode: shadow is proposed for it. Policies that are
    in no file stay as they are.

    \b
    Examples:
      finial policy apply orders.json
      finial policy apply policies/
    """
    from cli.administration import Administration
    from cli.policies import batches, judged, read_policies

    parts = list(batches(read_policies(files)))
    items: list[dict[str, Any]] = []
    with Administration(place, _PATIENCE) as server:
        for part in parts if len(parts) > 1 else ():
            # Nothing is registered of what has no place in one call, before all of it was judged.
            judged(server.post("/v1/policies:try", {"put": part})["faults"])
        for part in parts:
            items += server.post("/v1/policies:apply", {"put": part})["items"]
    if output == "json":
        print_json({"items": [{"outcome": each["outcome"], **each["policy"]} for each in items]})
        return
    for each in items:
        click.echo(f"{each['outcome']:<10} {plain(each['policy']['name'])}")
    _propose(each["policy"] for each in items)


@policy.command()
@_FILES
@server_options
@output_option
def diff(files: Sequence[Path], place: Place, output: str) -> None:
    """Show what `finial policy apply` would change, and change nothing.

    \b
    Example:
      finial policy diff policies/
    """
    import difflib

    from cli.administration import Administration
    from cli.policies import lines_of, name_of, read_policies, same

    with Administration(place) as server:
        known = {each["name"]: each for each in server.every("/v1/policies")}
    items: list[dict[str, Any]] = []
    for wish in read_policies(files):
        name = name_of(wish)
        before = known.get(name)
        if before is not None and same(wish, before):
            continue
        lines = difflib.unified_diff(
            lines_of(before) if before else [],
            lines_of(wish),
            f"registered: {name}" if before else "not registered",
            f"file: {name}",
            lineterm="",
        )
        items.append({"name": name, "new": before is None, "diff": list(lines)})
    if output == "json":
        print_json({"items": items})
        return
    for item in items:
        for line in item["diff"]:
            click.echo(plain(line))
    if not items:
        click.echo("nothing would change")


@policy.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--requests",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Requests, one JSON object a line: caller, callee, method, path; by default those that "
    "agents recorded.",
)
@click.option("--remove", "removed", multiple=True, help="A policy that would be deleted.")
@server_options
@output_option
def test(
    files: Sequence[Path], requests: Path | None, removed: Sequence[str], place: Place, output: str
) -> int:
    """Say which requests the policies in files would decide otherwise, and change nothing.

    All callees are taken to enforce. Ends with status 1 when a policy would be refused.

    \b
    Examples:
      finial policy test orders.json
      finial policy test orders.json --requests seen.jsonl
      finial policy test --remove "orders may charge"
    """
    from cli.administration import Administration
    from cli.policies import read_policies, read_requests, recorded_requests, trials

    if not files and not removed:
        raise click.UsageError("name files with policies, or one to --remove")
    wish = {"put": read_policies(files) if files else [], "remove": list(removed)}
    tried: dict[str, Any] = {"faults": [], "changes": [], "asked": 0}
    with Administration(place, _PATIENCE) as server:
        asked = (
            recorded_requests(server.every("/v1/traffic", by="requests"))
            if requests is None
            else read_requests(requests)
        )
        for part in trials(wish, asked):
            found = server.post("/v1/policies:try", part)
            tried = {
                **found,
                "changes": [*tried["changes"], *found["changes"]],
                "asked": tried["asked"] + found["asked"],
            }
    if output == "json":
        print_json(tried)
        return int(bool(tried["faults"]))
    for fault in tried["faults"]:
        where = f" ({fault['field']}: {fault['value']})" if fault["field"] else ""
        click.echo(f"refused {plain(fault['policy'])}: {plain(fault['detail'])}{plain(where)}")
        if fault["remedy"]:
            click.echo(f"  try: {plain(fault['remedy'])}")
    for each in tried["changes"]:
        now = "allowed" if each["allowed"] else "denied"
        call = f"{each['caller']} {each['method']} {' or '.join(each['paths'])} of {each['callee']}"
        click.echo(f"{now}  {plain(call)}: {each['before']} before, {each['after']} after")
    if not tried["faults"]:
        click.echo(f"{len(tried['changes'])} of {tried['asked']} requests are decided otherwise")
    return int(bool(tried["faults"]))


@policy.command()
@click.argument("caller")
@click.argument("callee")
@click.argument("method")
@click.argument("path")
@server_options
@output_option
def explain(*, caller: str, callee: str, method: str, path: str, place: Place, output: str) -> None:
    """Say what becomes of a request, and what keeps each policy about the callee from matching.

    CALLER may be `-` for somebody without an identity.

    \b
    Example:
      finial policy explain spiffe://example.org/orders spiffe://example.org/payment POST /refund
    """
    from cli.administration import Administration

    asked = {"callee": callee, "method": method, "path": path}
    if caller != "-":
        asked["caller"] = caller
    with Administration(place) as server:
        found = server.post("/v1/policies:explain", asked)
    if output == "json":
        print_json(found)
        return
    if found["blocked"]:
        block = found["blocked"]
        click.echo(f"denied: {plain(block['subject'])} is blocked: {plain(block['reason'])}")
        click.echo("without the block it would be:")
    if not found["served"]:
        click.echo("no entry grants the callee, so that no agent is asked about it; if one did:")
    if found["strange"]:
        click.echo("the callee does not federate with the caller's trust domain")
        if found["mode"] == "enforce":
            click.echo("denied; if it did, it would be:")
    shadow = ", in shadow: the rules say no" if found["shadow"] else ""
    by = f" by {', '.join(map(plain, found['by']))}" if found["by"] else ""
    click.echo(
        f"{'allowed' if found['rules_allow'] else 'denied'}{by}{shadow}: {found['sentence']}"
    )
    click.echo(f"the callee's mode is {found['mode']}")
    compared = found["policies"]
    for each in compared[:_MOST_COMPARED]:
        gaps = "; ".join(map(plain, each["gaps"])) if each["gaps"] else "matches"
        click.echo(f"  {each['effect']:<5} {plain(each['policy'])}: {gaps}")
    if len(compared) > _MOST_COMPARED:
        click.echo(f"  and {len(compared) - _MOST_COMPARED} more that are further away")


@policy.command("list")
@server_options
@output_option
def list_(place: Place, output: str) -> None:
    """List the policies.

    \b
    Example:
      finial policy list
    """
    list_items(place, output, "/v1/policies", _POLICIES, "no policy is registered")


@policy.command()
@click.argument("name")
@click.option("--versions", is_flag=True, help="All that it was, the latest first.")
@server_options
@output_option
def show(name: str, versions: bool, place: Place, output: str) -> None:
    """Show a policy by its name or id, or all its versions.

    \b
    Example:
      finial policy show "orders may charge" --versions
    """
    from cli.administration import Administration
    from cli.policies import lines_of

    with Administration(place) as server:
        policy_id = _find(server.every("/v1/policies"), name)
        if versions:
            items = list(server.every(f"/v1/policies/{policy_id}/versions"))
        else:
            items = [server.get(f"/v1/policies/{policy_id}")]
    if output == "json":
        print_json({"items": items} if versions else items[0])
        return
    for item in items:
        print_fields(item, _SHOWN)
        for line in lines_of(item):
            click.echo(f"  {plain(line)}")


@policy.command()
@click.argument("name")
@server_options
@output_option
def delete(name: str, place: Place, output: str) -> None:
    """Delete a policy by its name or id; the modes of callees stay, so nothing is opened by it.

    \b
    Example:
      finial policy delete "orders may charge"
    """
    from cli.administration import Administration

    with Administration(place) as server:
        policy_id = _find(server.every("/v1/policies"), name)
        server.delete(f"/v1/policies/{policy_id}")
    if output == "json":
        print_json({"id": policy_id})
    else:
        click.echo(f"deleted {plain(name)}")


_MOST_PROPOSED: Final = 10
_MOST_COMPARED: Final = 30
_POLICIES = {
    "name": "NAME",
    "form": "FORM",
    "enabled": "ENABLED",
    "revision": "REVISION",
    "id": "ID",
}
_SHOWN = {
    "name": "Name",
    "id": "ID",
    "revision": "Revision",
    "enabled": "Enabled",
    "deleted": "Deleted",
    "changed_at": "Changed at",
    "changed_by": "Changed by",
    "at": "At",
    "who": "By",
}


def _find(items: Iterable[dict[str, Any]], name: str) -> str:
    from finial.spiffe.refusal import Kind, Refusal

    for each in items:
        if name in (each["name"], each["id"]):
            return str(each["id"])
    raise Refusal(Kind.NOT_FOUND, "there is no such policy", field="name", value=name)


def _propose(policies: Iterable[dict[str, Any]]) -> None:
    """Propose shadow for callees that nobody gave a mode."""
    callees = sorted({each for found in policies for each in found["callees_without_mode"]})
    for callee in callees[:_MOST_PROPOSED]:
        click.echo(f"{plain(callee)} has no mode, so that no rule is asked about it")
        click.echo(f"  try: finial policy mode {plain(callee)} shadow")
    if len(callees) > _MOST_PROPOSED:
        click.echo(f"and {len(callees) - _MOST_PROPOSED} more callees without a mode")
        click.echo("  try: finial policy mode with a prefix of theirs, such as team-a/*")
