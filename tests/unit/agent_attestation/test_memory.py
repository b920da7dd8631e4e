"""What is remembered of callers, and what has to go."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from agent.attestation.attempt import Attempt, Caller
from agent.attestation.memory import Memory
from tests.doubles.evidence import attested

SAID = (attested("unix", "uid:1000"),)


def memory(**bounds: int) -> Memory:
    ids: Iterator[int] = count(1)
    return Memory(lambda: f"r{next(ids)}", **bounds)


def refuse(
    known: Memory, pid: int = 7, uid: int = 1000, now: float = 10.0, group: int = 0, **told: Any
) -> Attempt:
    given = {"method": "FetchX509SVID", "said": SAID, "reason": "no identity issued", **told}
    return known.refused(Caller(pid, uid, uid, 1, group=group), now=now, **given)


def serve(known: Memory, pid: int = 7, uid: int = 1000, now: float = 10.0) -> None:
    known.served(Caller(pid, uid, uid), "FetchJWTSVID", SAID, ("spiffe://a/b",), now)


def test_the_same_refusal_is_one_with_a_count() -> None:
    """A process that asks again and again has one refusal, its first id, and a count."""
    known = memory()
    first = refuse(known)
    again = refuse(known, now=20.0, asked_for="spiffe://a/b")
    assert again is first
    assert (first.refusal, first.count, first.first_at, first.last_at) == ("r1", 2, 10, 20)
    assert first.asked_for == "spiffe://a/b"
    other = refuse(known, reason="the agent has not synced", now=30.0)
    assert other.refusal == "r2"
    assert known.refusals(9) == [other, first]
    assert known.refusals(1) == [other]
    assert known.of_refusal("r1") is first
    assert known.of_refusal("r9") is None
    assert known.of_pid(7) is other
    assert known.of_pid(8) is None


def test_a_served_process_is_counted() -> None:
    """Whoever is served again has one record, until something else is found out about it."""
    known = memory()
    serve(known)
    serve(known, now=30.0)
    found = known.of_pid(7)
    assert found is not None
    assert (found.count, found.first_at, found.last_at, found.reason) == (2, 10, 30, "")
    refusal = refuse(known, now=40.0)
    assert (refusal.served_until, refusal.granted) == (30, ("spiffe://a/b",))
    assert refuse(known, now=50.0).served_until == 30
    serve(known, now=60.0)
    again = known.of_pid(7)
    assert again is not None
    assert (again.count, again.reason) == (1, "")
    known.served(Caller(7, 1000, 1000), "FetchJWTSVID", (*SAID,), (), 70.0)
    assert known.of_pid(7) is again
    known.served(Caller(7, 1000, 1000), "FetchJWTSVID", (), (), 70.0)
    assert known.of_pid(7) is not again


def test_another_users_process_inherits_no_past() -> None:
    """A PID that went to another user's process was not served before."""
    known = memory()
    serve(known, uid=1)
    assert refuse(known, uid=2).served_until == 0


def test_successes_push_out_no_refusal() -> None:
    """However many processes are served, refusals stay, and are found by the process too."""
    known = memory(most_processes=3)
    first = refuse(known)
    for pid in range(100, 110):
        serve(known, pid)
    assert known.of_refusal("r1") is first
    assert known.of_pid(7) is first
    assert known.of_pid(100) is None
    assert known.of_pid(109) is not None


def test_whoever_is_refused_most_loses_their_own() -> None:
    """One user's flood of refusals leaves those of others."""
    known = memory(most_refusals=4)
    mine = refuse(known, pid=1, uid=1)
    for pid in range(10, 30):
        refuse(known, pid=pid, uid=2)
    assert known.of_refusal(mine.refusal) is mine
    assert len(known.refusals(100)) == 4
    assert known.of_pid(29) is not None


@pytest.mark.parametrize("varied", ["uid", "group"])
def test_who_is_many_users_or_many_groups_loses_their_own(varied: str) -> None:
    """The root of a container, who is any user, and a user with any control groups, push out none."""
    known = memory(most_refusals=16)
    mine = [refuse(known, pid=pid, uid=1, group=1) for pid in (1, 2)]
    for pid in range(10, 60):
        refuse(known, pid=pid, **{"uid": 2, "group": 2, varied: pid})
    assert all(known.of_refusal(each.refusal) is each for each in mine)
    assert len(known.refusals(100)) == 16


def test_what_says_everything_itself_gets_no_id() -> None:
    """A wrong request is the newest of its process and stands in no list."""
    known = memory()
    attempt = refuse(known, reason="security header missing", listed=False)
    assert (attempt.refusal, known.refusals(9)) == ("", [])
    assert known.of_pid(7) is attempt


def test_whoever_waits_is_known_to() -> None:
    """A process with several calls waits since the first of them that was not answered."""
    known = memory()
    assert known.waiting_since(7) is None
    known.waits(7, 10.0)
    known.waits(7, 20.0)
    assert known.waiting_since(7) == 10
    known.waits_no_more(7)
    assert known.waiting_since(7) == 20
    known.waits_no_more(7)
    assert known.waiting_since(7) is None
    assert not known._waiting


def test_who_cannot_be_seen_has_a_refusal_and_no_pid() -> None:
    """Callers without a PID are listed, and are no process."""
    known = memory()
    attempt = refuse(known, pid=0)
    assert known.refusals(9) == [attempt]
    assert not known._processes
