"""`finial top`: who calls whom, live."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from cli.flows import Flow, Rates, cells, columns, summary
from cli.place import Place, server_options
from cli.printing import output_option, plain, print_json, print_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cli.administration import Administration

_STYLES: Final = {"denied": "red", "shadowed": "yellow"}
_FRAME: Final = 5
"""Lines of the screen that hold no flow."""

_SAME: Final = 3600
"""Seconds: further pages are of what was collected for the first."""

Look = tuple[dict[str, Any], Sequence[Flow]]


@click.command()
@click.option("--requests", is_flag=True, help="Each kind of request: method, path and reason.")
@click.option("--caller", help="Of one caller, all below a prefix, or - for those without an ID.")
@click.option("--callee", help="Of one callee, or all below a prefix.")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(["allowed", "shadowed", "denied"]),
    help="Of that outcome; may be repeated.",
)
@click.option("--once", is_flag=True, help="Print it once, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@server_options
@output_option
def top(*, once: bool, interval: float, place: Place, output: str, **asked: Any) -> None:
    """Show who calls whom, how often, and what the rules say to it, until you press Ctrl-C.

    Requests are those that a proxy has asked an agent about. With JSON each look is a line.

    \b
    Examples:
      finial top
      finial top --requests --callee spiffe://example.org/payment
      finial top --once --output json --outcome denied
    """
    from cli.administration import Administration

    query = {
        "by": "requests" if asked["requests"] else "pairs",
        "caller": asked["caller"],
        "callee": asked["callee"],
        "outcome": list(asked["outcomes"]) or None,
        "max_age": interval / 2,
    }
    with Administration(place) as server:
        if output == "json":
            for page, flows in _looks(server, query, interval, once=once):
                items = [{**flow.document, "rate": flow.rate} for flow in flows]
                print_json({**page, "items": items})
        elif once:
            [(page, flows)] = _looks(server, query, interval, once=True)
            _print(page, flows, query["by"])
        else:
            _live(_looks(server, query, interval, once=False), query["by"])


def _looks(
    server: "Administration", query: dict[str, Any], interval: float, *, once: bool
) -> Iterator[Look]:
    """Look again and again; whoever reads is given each look when it is there."""
    from threading import Event

    from finial.runtime.clock import SystemClock

    clock, rates, never = SystemClock(), Rates(), Event()
    while True:
        begun = clock.monotonic()
        page = _whole(lambda **more: server.get("/v1/traffic", **{**query, **more}))
        yield page, rates.of(page["items"], begun)
        if once:
            return
        never.wait(max(begun + interval - clock.monotonic(), 0.0))


def _whole(ask: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """All pages as one; what was collected for the first is good for the others."""
    page = ask(page_size=1000)
    items = list(page["items"])
    while page["next_page_token"]:
        page = ask(page_size=1000, page_token=page["next_page_token"], max_age=_SAME)
        items += page["items"]
    return {"items": items, **{name: page[name] for name in ("since", "silent", "unable")}}


def _print(page: dict[str, Any], flows: Sequence[Flow], by: str) -> None:
    shown = {name: head for name, head in columns(by).items() if name != "rate"}
    now = dt.datetime.fromtimestamp(_now(), dt.UTC)
    print_table([cells(flow, now) for flow in flows], shown, "nobody has called anybody")
    if flows:
        click.echo(summary(page, flows))


def _live(looks: Iterator[Look], by: str) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    page, flows = next(looks)
    screen = _screen(page, flows, by, console.height)
    with Live(screen, console=console, screen=console.is_terminal, auto_refresh=False) as live:
        try:
            for page, flows in looks:
                live.update(_screen(page, flows, by, console.height), refresh=True)
        except KeyboardInterrupt:
            return


def _screen(page: dict[str, Any], flows: Sequence[Flow], by: str, height: int) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    now = dt.datetime.fromtimestamp(_now(), dt.UTC)
    table = Table(box=None, pad_edge=False)
    heads = columns(by)
    for name, head in heads.items():
        right = name in ("rate", "count")
        table.add_column(head, justify="right" if right else "left", no_wrap=name != "path")
    for flow in flows[: max(height - _FRAME, 1)]:
        # As Text, so that nothing in a path is taken for markup.
        line = cells(flow, now)
        style = _STYLES.get(flow.document["outcome"], "")
        table.add_row(*(Text(line[name], style) for name in heads))
    hidden = len(flows) - max(height - _FRAME, 1)
    below = f"and {hidden} more" if hidden > 0 else ""
    rate = sum(flow.rate or 0.0 for flow in flows)
    above = Text(f"{rate:,.1f} requests a second; {summary(page, flows)}", "bold")
    return Group(above, Text(plain(f"since {page['since']}")), Text(), table, Text(below))


def _now() -> float:
    from finial.runtime.clock import SystemClock

    return SystemClock().now()
