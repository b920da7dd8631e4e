"""How much may be asked for in a second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.registry.rate import Bucket, RateLimit
from finial.spiffe.refusal import Kind, Refusal


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    """6.4: rate and burst are equal, and a call waits for its tokens."""
    bucket = Bucket(rate=10, burst=10, now=0)
    assert bucket.take(10, 0) == 0
    assert bucket.take(5, 0) == 0.5
    assert bucket.take(5, 0) == 1.0
    assert bucket.take(5, 100) == 0
    assert bucket.take(6, 100) == pytest.approx(0.1)
    assert bucket.used_at == 100


def test_more_than_the_bucket_holds_is_never_given() -> None:
    """6.4: a call that asks for more than the burst is exhausted, and takes nothing."""
    bucket = Bucket(rate=10, burst=10, now=0)
    with pytest.raises(Refusal) as caught:
        bucket.take(11, 0)
    assert caught.value.kind is Kind.EXHAUSTED
    assert "rate limiting" in caught.value.detail
    assert bucket.take(10, 0) == 0


def test_who_cannot_wait_so_long_is_refused_and_takes_nothing() -> None:
    """6.4: a call whose deadline is too near fails at once."""
    bucket = Bucket(rate=1, burst=1, now=0)
    assert bucket.take(1, 0) == 0
    with pytest.raises(Refusal):
        bucket.take(1, 0, longest_wait=0.5)
    assert bucket.take(1, 0, longest_wait=1) == 1


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=40))
def test_no_more_than_rate_and_burst_goes_through(calls: list[tuple[float, int]]) -> None:
    """However it is asked, the tokens given up to any moment are at most burst + rate x time."""
    bucket, now, given_out = Bucket(rate=5, burst=5, now=0), 0.0, 0
    for pause, count in calls:
        now += pause
        wait = bucket.take(count, now, longest_wait=1e9)
        given_out += count
        assert given_out <= 5 + 5 * (now + wait) + 1e-6


def test_each_caller_has_a_bucket_of_its_own() -> None:
    """6.4: the limit is for each address."""
    limit = RateLimit(1)
    assert limit.take("10.0.0.1", 1, 0) == 0
    assert limit.take("10.0.0.2", 1, 0) == 0
    assert limit.take("10.0.0.1", 1, 0) == 1


def test_a_rate_of_zero_is_no_limit() -> None:
    """Each limit can be switched off."""
    limit = RateLimit(0)
    assert [limit.take("x", 10_000, 0) for _ in range(3)] == [0, 0, 0]
    assert len(limit) == 0


def test_a_rate_below_one_still_lets_one_through() -> None:
    """A slow limit holds at least one token."""
    assert RateLimit(0.1).take("x", 1, 0) == 0


def test_callers_who_went_away_are_forgotten() -> None:
    """6.4: buckets are dropped after one to two minutes without use."""
    limit = RateLimit(10)
    for number in range(50):
        limit.take(str(number), 1, 1_000)
    limit.take("busy", 1, 1_059)
    limit.take("new", 1, 1_061)
    assert len(limit) == 2
