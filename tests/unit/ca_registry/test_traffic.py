"""Who called whom in the trust domain, by the word of agents."""

import pytest

from ca.registry.traffic.flow import By, TrafficFilter
from ca.registry.traffic.traffic_record import TrafficRecord, ordered, page_in
from finial.policy.id_pattern import IdPattern
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.traffic import Outcome, Row, TrafficDocument

TD = "spiffe://example.org"
ONE = SpiffeId.parse(f"{TD}/spire/agent/one")
TWO = SpiffeId.parse(f"{TD}/spire/agent/two")
PAYMENT = SpiffeId.parse(f"{TD}/payment")
OTHER = SpiffeId.parse(f"{TD}/team/other")
ALL = TrafficFilter()


def row(
    caller: str = "/orders",
    count: int = 1,
    *,
    born: int = 1,
    at: float = 10.0,
    outcome: Outcome = "allowed",
    shape: str = "/transaction/*",
    callee: str = "/payment",
    example: str = "",
    first_at: float = 1.0,
) -> Row:
    return Row(
        caller=f"{TD}{caller}" if caller else "",
        callee=f"{TD}{callee}" if callee else "",
        means="mtls" if caller else "none",
        outcome=outcome,
        method="POST",
        shape=shape,
        reason="allowed",
        example=example,
        first_at=first_at,
        last_at=at,
        count=count,
        born=born,
    )


def learn(
    record: TrafficRecord,
    *rows: Row,
    agent: SpiffeId = ONE,
    epoch: str = "e",
    callees: frozenset[SpiffeId] = frozenset((PAYMENT, OTHER)),
    now: float = 1000.0,
) -> None:
    document = TrafficDocument(epoch=epoch, turn=1, since=0.0, rows=rows)
    record.learn(agent, document, callees, now)


def counts(
    record: TrafficRecord, wanted: TrafficFilter = ALL, by: By = By.REQUESTS
) -> list[tuple[str, str, int]]:
    page = page_in(ordered(record.snapshot(), wanted, by), 0)
    return [
        (str(flow.key.caller).removeprefix(TD), flow.key.shape, flow.count) for flow in page.items
    ]


def test_a_row_tells_its_whole_count() -> None:
    """The same again changes nothing; what the agent counts meanwhile takes its place."""
    record = TrafficRecord()
    learn(record, row(count=3))
    learn(record, row(count=3))
    learn(record, row(count=5))
    assert counts(record) == [("/orders", "/transaction/*", 5)]
    assert (len(record), record.decided["allowed"]) == (1, 5)


@pytest.mark.parametrize(("epoch", "born"), [("e", 2), ("other", 1)])
def test_a_row_that_began_anew_is_added(epoch: str, born: int) -> None:
    """After a restart of the agent, or when it had forgotten the row, nothing is lost."""
    record = TrafficRecord()
    learn(record, row(count=3, first_at=2.0))
    learn(record, row(count=1, born=born, first_at=8.0), epoch=epoch)
    learn(record, row(count=2, born=born, first_at=8.0), epoch=epoch)
    [flow] = page_in(ordered(record.snapshot(), ALL, By.REQUESTS), 0).items
    assert (flow.count, flow.first_at, record.decided["allowed"]) == (5, 2.0, 5)


def test_an_agent_is_heard_about_its_own_callees_alone() -> None:
    """What it says of others' callees, or of IDs that are none, is dropped and counted."""
    record = TrafficRecord()
    learn(record, row(callee="/admin"), row(caller="/no//id"), row(callee=""))
    assert counts(record) == [("/orders", "/transaction/*", 1)]
    assert record.refused == 2
    learn(record, row(callee="/admin"), agent=TWO)
    assert [agent for agent, _ in record.snapshot()] == [ONE]


def test_nothing_was_seen_in_the_future() -> None:
    """An agent whose clock is ahead, or who lies, is seen now at the latest."""
    record = TrafficRecord()
    learn(record, row(at=5000.0, first_at=4000.0), now=100.0)
    [flow] = page_in(ordered(record.snapshot(), ALL, By.REQUESTS), 0).items
    assert (flow.first_at, flow.last_at) == (100.0, 100.0)


def test_flows_are_told_over_all_agents() -> None:
    """By pairs, or by kinds of requests, each with who saw it, since when, and the last example."""
    record = TrafficRecord()
    learn(record, row(count=2, at=10.0, example="/transaction/old"), row(shape="/b", at=11.0))
    learn(record, row(count=3, at=20.0, first_at=5.0, example="/transaction/new"), agent=TWO)
    assert counts(record) == [("/orders", "/b", 1), ("/orders", "/transaction/*", 5)]
    [pair] = page_in(ordered(record.snapshot(), ALL, By.PAIRS), 0).items
    assert (pair.count, pair.first_at, pair.last_at) == (6, 1.0, 20.0)
    assert (pair.agents, pair.example) == (frozenset((ONE, TWO)), "/transaction/new")


def test_an_older_example_is_better_than_none() -> None:
    """The later one of two may have been let through by a rule."""
    record = TrafficRecord()
    learn(record, row(at=10.0, example="/transaction/old"))
    learn(record, row(at=20.0), agent=TWO)
    [pair] = page_in(ordered(record.snapshot(), ALL, By.PAIRS), 0).items
    assert pair.example == "/transaction/old"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ALL, ["None", "/orders", "/orders", "/team/a"]),
        (TrafficFilter(caller=IdPattern.parse(f"{TD}/orders")), ["/orders", "/orders"]),
        (TrafficFilter(caller=IdPattern.parse(f"{TD}/team/*")), ["/team/a"]),
        (TrafficFilter(nobody=True), ["None"]),
        (TrafficFilter(callee=IdPattern.parse(f"{TD}/team/other")), ["/team/a"]),
        (TrafficFilter(outcomes=frozenset(("denied",))), ["/orders"]),
        (TrafficFilter(means=frozenset(("none", "jwt"))), ["None"]),
        (TrafficFilter(agent=TWO), ["/team/a"]),
        (TrafficFilter(since=30.0), ["/orders"]),
    ],
)
def test_a_filter_asks_for_some(wanted: TrafficFilter, found: list[str]) -> None:
    """Caller, callee, outcome, means, agent and time; all that are given have to be true."""
    record = TrafficRecord()
    learn(record, row(), row(caller=""), row(outcome="denied", at=30.0))
    learn(record, row(caller="/team/a", callee="/team/other"), agent=TWO)
    assert [caller for caller, _, _ in counts(record, wanted)] == found


def test_a_list_comes_in_pages() -> None:
    """Each flow once, in their order; a token of someone else is refused."""
    record = TrafficRecord()
    learn(record, *(row(f"/{number}", number) for number in range(7)))
    found: list[int] = []
    token = ""
    while True:
        page = page_in(ordered(record.snapshot(), ALL, By.PAIRS), 3, token)
        found += [flow.count for flow in page.items]
        token = page.next_token
        if not token:
            break
    assert found == list(range(7))
    for foreign in ("x", "WyJhIl0", "\xff", "ab!"):
        with pytest.raises(Refusal) as caught:
            page_in(ordered(record.snapshot(), ALL, By.PAIRS), 3, foreign)
        assert caught.value.kind is Kind.INVALID


def test_an_agent_that_tells_too_much_pushes_out_its_own() -> None:
    """What was seen last the longest ago goes first."""
    record = TrafficRecord(most_of_agent=10)
    learn(record, row(), agent=TWO)
    learn(record, *(row(f"/{number}", at=float(number)) for number in range(30)))
    held = dict(record.snapshot())
    assert len(held[ONE]) <= 10
    assert len(held[TWO]) == 1
    assert "29" in str(held[ONE][-1])
    assert len(record) == sum(map(len, held.values()))


def test_all_together_are_bounded() -> None:
    """When there are too many of all, the agent that has the most loses some."""
    record = TrafficRecord(most_rows=10)
    learn(record, *(row(f"/{number}") for number in range(9)))
    learn(record, row("/a"), row("/b"), row("/c"), agent=TWO)
    held = dict(record.snapshot())
    assert len(record) <= 10
    assert len(held[TWO]) == 3
