"""Who called whom, as the agent remembers it."""

from agent.access.caller import Caller, Means
from agent.access.reasons import Reason
from agent.access.traffic import MAX_EXAMPLE, MAX_METHOD, Traffic
from agent.access.verdict import Outcome, Verdict
from finial.policy.grounds import Ground
from finial.spiffe.identity import SpiffeId
from finial.traffic import Cursor, Row, TrafficDocument, decode, decode_cursor, encode
from finial.traffic.document import MAX_DOCUMENT, MAX_ROWS

PAYMENT = SpiffeId.parse("spiffe://example.org/payment")


def seen(
    path: str = "/transaction/1",
    caller: str = "orders",
    outcome: Outcome = Outcome.ALLOWED,
    reason: Reason = Ground.ALLOWED,
    verb: str = "POST",
) -> Verdict:
    known = SpiffeId.parse(f"spiffe://example.org/{caller}") if caller else None
    means = Means.MTLS if caller else Means.NONE
    return Verdict(outcome, reason, PAYMENT, Caller(known, means), verb, path)


def denied(path: str = "/refund/1", caller: str = "gateway") -> Verdict:
    return seen(path, caller, Outcome.DENIED, Ground.NO_RULE)


def told(traffic: Traffic, cursor: Cursor = Cursor()) -> TrafficDocument:  # noqa: B008
    return decode(encode(traffic.after(decode_cursor(cursor.encoded()))))


def summary(rows: object) -> list[tuple[str, str, str, int]]:
    return [(r.caller[21:], r.shape, r.outcome, r.count) for r in rows]  # type: ignore[attr-defined]


def test_requests_of_one_kind_are_one_row() -> None:
    """Who, whom, by what, which method, which shape of path, why, how often, since and last."""
    traffic = Traffic("e", 5.0)
    traffic.note(seen("/transaction/1"), 10.0)
    traffic.note(seen("/transaction/2"), 12.0)
    traffic.note(denied(), 13.0)
    first, second = traffic.rows()
    assert first == Row(
        caller="spiffe://example.org/orders",
        callee="spiffe://example.org/payment",
        means="mtls",
        outcome="allowed",
        method="POST",
        shape="/transaction/*",
        reason="allowed",
        first_at=10.0,
        last_at=12.0,
        count=2,
        born=1,
    )
    assert (second.outcome, second.reason, second.example) == ("denied", "no_rule", "/refund/1")
    assert len(traffic) == 2


def test_an_example_is_kept_of_what_rules_did_not_let_through_alone() -> None:
    """Of what was allowed the record keeps the shape, which says nothing of a user."""
    traffic = Traffic()
    traffic.note(seen("/user/4711"), 1.0)
    traffic.note(seen("/user/4711", caller="", outcome=Outcome.SHADOWED, reason=Ground.NO_RULE), 1)
    assert [row.example for row in traffic.rows()] == ["", "/user/4711"]


def test_only_what_is_new_is_told() -> None:
    """A server goes on where it was; a row tells its whole count, so that nothing counts twice."""
    traffic = Traffic("e", 5.0)
    traffic.note(seen(), 10.0)
    traffic.note(denied(), 11.0)
    first = told(traffic)
    assert summary(first.rows) == [
        ("orders", "/transaction/*", "allowed", 1),
        ("gateway", "/refund/*", "denied", 1),
    ]
    assert (first.epoch, first.since, first.more) == ("e", 5.0, False)
    assert told(traffic, first.cursor).rows == ()
    traffic.note(seen(), 12.0)
    second = told(traffic, first.cursor)
    assert summary(second.rows) == [("orders", "/transaction/*", "allowed", 2)]
    assert told(traffic, first.cursor) == second


def test_a_cursor_of_another_record_begins_anew() -> None:
    """After a restart of the agent the turns begin at one again."""
    traffic = Traffic("new")
    traffic.note(seen(), 10.0)
    assert len(told(traffic, Cursor("old", 1000)).rows) == 1
    assert len(told(Traffic("new"), Cursor("new", 1000)).rows) == 0
    assert len(told(traffic, Cursor("new", 1000)).rows) == 1


def test_a_document_is_bounded_and_the_next_goes_on() -> None:
    """Rows too many, or too long, come in several documents, each row once."""
    traffic = Traffic("e")
    long = "a" * 1500
    for number in range(40):
        for kind in range(50):
            path = f"/{'k' * (kind + 1)}/{'x' * 39}\x00" + "/é\x01" * 40
            traffic.note(denied(path, f"{long}/{number}"), 1.0)
    cursor, found, more = Cursor(), 0, True
    while more:
        content = encode(traffic.after(cursor))
        assert len(content) <= MAX_DOCUMENT
        document = decode(content)
        assert 0 < len(document.rows) <= MAX_ROWS
        found += len(document.rows)
        cursor, more = document.cursor, document.more
    # Of a few lengths the segment is too long to be kept, so that they are one kind.
    assert found == len(traffic)
    assert told(traffic, cursor).rows == ()


def test_kinds_too_many_are_counted_together() -> None:
    """A caller that makes up paths fills its own pair, and its counts still add up."""
    traffic = Traffic(most_kinds=3)
    traffic.note(seen(), 1.0)
    for letter in "abcdefgh":
        traffic.note(denied(f"/{letter}"), 2.0)
    traffic.note(denied("/a"), 3.0)
    rows = list(traffic.rows())
    assert summary(rows) == [
        ("orders", "/transaction/*", "allowed", 1),
        ("gateway", "/a", "denied", 2),
        ("gateway", "/b", "denied", 1),
        ("gateway", "/c", "denied", 1),
        ("gateway", "", "denied", 5),
    ]
    assert (rows[-1].method, rows[-1].reason, rows[-1].example) == ("", "", "")


def test_the_pair_seen_last_the_longest_ago_goes() -> None:
    """Pairs are bounded, and how many went is told."""
    traffic = Traffic(most_pairs=2)
    for caller in ("a", "b", "a", "c"):
        traffic.note(seen(caller=caller), 1.0)
    assert summary(traffic.rows()) == [
        ("a", "/transaction/*", "allowed", 2),
        ("c", "/transaction/*", "allowed", 1),
    ]
    assert (told(traffic).forgotten, len(traffic)) == (1, 2)


def test_rows_are_bounded_over_all_pairs() -> None:
    """With all rows taken, a pair that is there counts together, and a new one takes a place."""
    traffic = Traffic(most_rows=3)
    for path in ("/a", "/b", "/c", "/d", "/e"):
        traffic.note(denied(path, "a"), 1.0)
    assert summary(traffic.rows())[-1] == ("a", "", "denied", 2)
    traffic.note(denied("/a", "b"), 1.0)
    assert summary(traffic.rows()) == [("b", "/a", "denied", 1)]


def test_what_callers_choose_is_cut() -> None:
    """A method and an example of any length cost a bounded amount."""
    traffic = Traffic()
    traffic.note(denied("/" + "é" * 5000), 1.0)
    traffic.note(seen(verb="X" * 500, caller="o"), 1.0)
    first, second = traffic.rows()
    assert (len(first.example), first.shape) == (MAX_EXAMPLE, "/*")
    assert len(second.method) == MAX_METHOD
