"""What `finial top` shows."""

import datetime as dt
from typing import Any

import pytest

from cli.flows import Rates, cells, columns, summary

NOW = dt.datetime(2030, 1, 1, 12, 0, 0, tzinfo=dt.UTC)


def document(caller: str | None = "spiffe://example.org/orders", **changes: Any) -> dict[str, Any]:
    return {
        "caller": caller,
        "callee": "spiffe://example.org/payment",
        "means": "mtls",
        "outcome": "allowed",
        "method": "POST",
        "path": "/transaction/*",
        "reason": "allowed",
        "count": 1,
        "first_seen": "2030-01-01T10:00:00Z",
        "last_seen": "2030-01-01T11:59:50Z",
        **changes,
    }


def test_a_rate_is_the_difference_of_two_looks() -> None:
    """At the first look there is none; a new flow begins at nothing; the busiest comes first."""
    rates = Rates()
    [first] = rates.of([document(count=10)], 100.0)
    assert first.rate is None
    busy, calm = rates.of([document(count=14), document("spiffe://example.org/b", count=20)], 102.0)
    assert (busy.document["count"], busy.rate, calm.rate) == (20, 10.0, 2.0)


def test_a_server_that_began_anew_counts_less() -> None:
    """Nothing is called a negative number of times."""
    rates = Rates()
    rates.of([document(count=10)], 1.0)
    [flow] = rates.of([document(count=3)], 2.0)
    assert flow.rate == 0.0


def test_flows_of_the_same_rate_are_in_order_of_time() -> None:
    """What was seen last is at the top."""
    older = document("spiffe://example.org/a")
    newer = document("spiffe://example.org/z", last_seen="2030-01-01T11:59:59Z")
    never = document("spiffe://example.org/n", last_seen=None)
    found = Rates().of([older, never, newer], 1.0)
    assert [flow.document for flow in found] == [newer, older, never]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (-5, "now"), (10, "10 s ago"), (200, "3 min ago"), (9000, "2 h ago")],
)
def test_times_are_told_from_now(seconds: int, said: str) -> None:
    """In the unit that fits; a server's clock may be ahead of ours."""
    instant = (NOW - dt.timedelta(seconds=seconds)).isoformat()
    [flow] = Rates().of([document(last_seen=instant, first_seen=None)], 1.0)
    assert (cells(flow, NOW)["last"], cells(flow, NOW)["first"]) == (said, "")


def test_a_line_gives_a_terminal_no_orders() -> None:
    """Whatever callers sent, it is shown; who is nobody is called so."""
    orders = "\x1b[2J\u202e"
    named = ("means", "outcome", "method", "path", "reason")
    hostile = document(None, **dict.fromkeys(named, orders))
    line = cells(Rates().of([hostile], 1.0)[0], NOW)
    assert all(text.isprintable() for text in line.values())
    assert line["caller"] == "nobody"
    assert set(columns("requests")) <= set(line)
    assert "path" not in columns("pairs")


def test_the_summary_says_what_is_missing() -> None:
    """All outcomes, agents that did not answer, and those that keep no record."""
    flows = Rates().of([document(count=1200), document(outcome="denied", count=3)], 1.0)
    page = {"silent": ["spiffe://example.org/spire/agent/a\x1b"], "unable": 2}
    assert summary(page, flows) == (
        "1,200 allowed, 0 would be denied, 3 denied; "
        "spiffe://example.org/spire/agent/a\\x1b did not answer; "
        "2 connected agents keep no record"
    )
    assert summary({"silent": [], "unable": 0}, []) == "0 allowed, 0 would be denied, 0 denied"
