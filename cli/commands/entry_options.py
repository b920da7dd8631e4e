"""The options that describe an entry, and those that ask for some."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from cli.lifetime import Lifetime

F = TypeVar("F", bound=Callable[..., Any])

_DESCRIBING = (
    click.option("--x509-svid-ttl", type=Lifetime(), help="Such as 30m; 0: the default."),
    click.option("--jwt-svid-ttl", type=Lifetime(), help="Such as 5m; 0: the default."),
    click.option("--dns", "dns_names", multiple=True, help="A DNS name for the certificate."),
    click.option("--federates-with", multiple=True, help="A foreign trust domain."),
    click.option("--hint", help="A word by which the workload tells its identities apart."),
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="KEY=VALUE",
        help="For policies, such as role=web.",
    ),
    click.option("--admin/--no-admin", default=None, help="It may administer the server."),
    click.option("--downstream/--no-downstream", default=None, help="It is a CA server itself."),
    click.option("--store-svid/--no-store-svid", default=None, help="For SVID stores only."),
)

EXPIRY = click.option(
    "--expires-at", metavar="TIME", help="When the entry ends, such as 2030-01-01T00:00:00Z."
)

FORCE = click.option(
    "--force", is_flag=True, help="Insist on selectors that no attestor is known to give."
)

_MATCH = click.Choice(["exact", "subset", "superset", "any"])
_FILTERS = (
    click.option("--spiffe-id", help="Only with this SPIFFE ID."),
    click.option("--parent", "parent_id", help="Only below this parent."),
    click.option("--selector", multiple=True, help="Only with these selectors."),
    click.option(
        "--match-selectors",
        "selector_match",
        type=_MATCH,
        default="superset",
        show_default=True,
        help="How the entry's selectors meet those.",
    ),
    click.option("--federates-with", multiple=True, help="Only with these trust domains."),
    click.option(
        "--match-federates-with",
        "federates_with_match",
        type=_MATCH,
        default="superset",
        show_default=True,
        help="How the entry's trust domains meet those.",
    ),
    click.option("--hint", help="Only with this hint."),
    click.option("--downstream/--no-downstream", default=None, help="Only (no) downstream ones."),
)


def describing_options(command: F) -> F:
    """Give a command the options that describe an entry."""
    return _with(command, _DESCRIBING)


def filter_options(command: F) -> F:
    """Give a command the options that ask for some entries."""
    return _with(command, _FILTERS)


def changes(described: Mapping[str, Any]) -> dict[str, Any]:
    """Make the members of an entry's document from the options that were given."""
    given = {name: value for name, value in described.items() if value not in (None, ())}
    for name in ("dns_names", "federates_with"):
        if name in given:
            given[name] = list(given[name])
    if "attributes" in given:
        given["attributes"] = _pairs(given["attributes"])
    if "expires_at" in given:
        given["expires_at"] = _time(given["expires_at"])
    return given


def _with(command: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--attribute is KEY=VALUE, not {text!r}")
        pairs[key] = value
    return pairs


def _time(text: str) -> str:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is not a time such as 2030-01-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise click.UsageError(f"{text!r} has no offset from UTC: end it with Z")
    return found.isoformat()
