"""Who called whom, in bounded memory."""

from agent.access.traffic import Traffic
from tests.unit.agent_access.desk import (
    FRONT,
    NOW,
    ORDERS,
    PAYMENT,
    Ground,
    Means,
    Outcome,
    verdict,
)


def test_traffic_is_counted_by_pair_and_by_request() -> None:
    """First and last, and how often."""
    traffic = Traffic()
    for at in (NOW, NOW + 1):
        traffic.note(verdict(), at)
    traffic.note(verdict(Ground.ALLOWED, outcome=Outcome.ALLOWED), NOW + 2)
    [(pair, denied), (_, allowed)] = traffic.pairs()
    assert pair == (ORDERS, PAYMENT, Means.MTLS, Outcome.DENIED)
    assert (denied.count, denied.first_at, denied.last_at, allowed.count) == (2, NOW, NOW + 1, 1)
    assert [request[-1] for request, _ in traffic.requests()] == [Ground.NO_RULE, Ground.ALLOWED]
    traffic.forget()
    assert not list(traffic.pairs())


def test_traffic_is_bounded() -> None:
    """Too many pairs are counted without their names, and old requests go."""
    traffic = Traffic(most_pairs=1, most_requests=2)
    for caller in (ORDERS, FRONT, None):
        traffic.note(verdict(caller=caller), NOW)
    assert len(list(traffic.pairs())) == 1
    assert traffic.unnamed == 2
    assert [request[0] for request, _ in traffic.requests()] == [FRONT, None]
