"""What is told of a process whose identity is blocked."""

from dataclasses import replace

import pytest

from agent.attestation.attempt import BLOCKED
from agent.attestation.explaining import explain, for_itself, foresee
from agent.attestation.reading import Reading
from agent.attestation.situation import SYNCHRONISATION, Trouble
from finial.blocks import Block, Blocks, SubjectKind
from finial.explain.explanation import Outcome
from tests.doubles.attempts import AGENT, NO_ENTRY, UNIX, attempt, judge_advice, reading
from tests.doubles.blocked import LEAKED, blocks
from tests.doubles.clock import NOW
from tests.doubles.entitlements import entitlement
from tests.doubles.evidence import attested

WEB = entitlement("web", "unix:uid:1000")
DB = entitlement("db", "unix:gid:100", created_at=1)
REFUSED = attempt(UNIX, reason=BLOCKED)
MATCHES = "the entry web for spiffe://example.org/web matches, but it has been blocked for 1 min: "
WHY = f"{MATCHES}key leaked (block b1)"


def under(read: Reading, blocked: Blocks | None = None, lockout: Block | None = None) -> Reading:
    held = read.situation.holdings
    held = replace(held, blocks=blocked or held.blocks, lockout=lockout)
    return replace(read, situation=replace(read.situation, holdings=held))


SITUATIONS: dict[str, tuple[Reading, list[str], list[str]]] = {
    "its SPIFFE ID": (
        under(reading(WEB, of=REFUSED), blocks(spiffe_ids=str(WEB.spiffe_id))),
        [WHY],
        ["finial unblock b1"],
    ),
    "its entry, after another refusal": (
        under(reading(WEB, of=attempt(UNIX, reason=NO_ENTRY)), blocks(entries="web")),
        [WHY],
        ["finial unblock b1"],
    ),
    "a selector of the process": (
        under(reading(WEB, of=REFUSED), blocks(selectors="unix:uid:1000")),
        [WHY],
        ["finial unblock b1"],
    ),
    "a block without a reason": (
        under(
            reading(WEB, of=REFUSED),
            blocks(block=Block("b 2", SubjectKind.ENTRY, "web", "", int(NOW) - 60), entries="web"),
        ),
        [f"{MATCHES[:-2]} (block b 2)"],
        ["finial unblock 'b 2'"],
    ),
    "the agent itself": (
        under(
            reading(WEB, of=REFUSED),
            lockout=Block("", SubjectKind.AGENT, AGENT, "node stolen", int(NOW) - 60),
        ),
        [
            "the entry web for spiffe://example.org/web matches, but this agent has been blocked "
            "for 1 min: node stolen"
        ],
        [f"finial unblock {AGENT}"],
    ),
    "one of two": (
        under(reading(WEB, DB, of=attempt(UNIX, reason="")), blocks(entries="web")),
        [WHY],
        ["finial unblock b1"],
    ),
    "one of two, neither of which was there": (
        under(reading(WEB, DB, of=attempt(UNIX, reason=NO_ENTRY)), blocks(entries="web")),
        [
            WHY,
            "the entry db for spiffe://example.org/db matches by now: it came to this agent, or "
            "was changed, after the refusal 1 min ago",
        ],
        ["let it ask again: it would be served now"],
    ),
    "not any more": (
        reading(WEB, of=REFUSED),
        ["its identity was blocked when it was refused, and is blocked no more"],
        ["let it ask again: it would be served now"],
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_block_is_the_cause(name: str) -> None:
    """Operators are told which block, since when and why, and how it is lifted."""
    judge_advice(*SITUATIONS[name])


def test_what_would_be_counts_the_block() -> None:
    """A process that has not asked would be refused; one that was refused is explained so."""
    read = under(reading(WEB, of=attempt(UNIX, reason="")), blocks(entries="web"))
    assert foresee(read.attempt, read.situation).outcome is Outcome.WOULD_BE_REFUSED
    told = explain(REFUSED, read.situation)
    assert [each.state for each in told.matches] == [WHY.partition("but ")[2]]


def test_a_workload_learns_nothing_of_the_block() -> None:
    """The reason of a block and its id are for operators; that it is blocked is no secret."""
    read = under(reading(WEB, of=REFUSED), blocks(entries="web"))
    told = for_itself(attempt(UNIX, reason=""), read.situation, REFUSED)
    assert (told.reason, told.outcome) == (BLOCKED, Outcome.WOULD_BE_REFUSED)
    text = told.encoded().decode()
    assert LEAKED.reason not in text
    assert '"b1"' not in text


def test_a_blocked_variable_is_named_without_its_value() -> None:
    """The advice to unblock a selector shows no value of an environment variable."""
    secret = "docker:env:TOKEN=s3cret"
    said = (attested("docker", "env:TOKEN=s3cret"),)
    block = Block("b1", SubjectKind.SELECTOR, secret, "leaked", int(NOW) - 60)
    entry = entitlement("web", secret)
    read = under(reading(entry, of=attempt(*said)), blocks(block=block, selectors=secret))
    told = explain(read.attempt, read.situation)
    assert "unblock docker:env:TOKEN=(hidden), if the reason for it is over" in [
        each.what for each in told.fixes
    ]
    assert b"s3cret" not in told.encoded()


def test_a_blocked_agent_is_not_said_to_be_out_of_reach() -> None:
    """Its server hears it and says no; whether an entry matches or not, unblocking is what helps."""
    block = Block("", SubjectKind.AGENT, AGENT, "node stolen", int(NOW) - 60)
    state = {"connected": False, "troubles": {SYNCHRONISATION: Trouble("is blocked", NOW - 60)}}
    for entry in (WEB, entitlement("web", "unix:uid:7")):
        read = under(reading(entry, of=attempt(UNIX), **state), lockout=block)
        told = explain(read.attempt, read.situation)
        assert told.fixes[0].command == f"finial unblock {AGENT}"
        assert not any("reaches" in each.what for each in told.fixes)


def test_a_process_that_asks_about_itself_first_learns_what_it_would_be_told() -> None:
    """Without a refusal before there is a reason all the same, in the words of one."""
    fresh = attempt(UNIX, reason="")
    blocked = under(reading(WEB, of=fresh), blocks(entries="web"))
    assert for_itself(fresh, blocked.situation, None).reason == BLOCKED
    assert for_itself(fresh, reading(of=fresh).situation, None).reason == NO_ENTRY
    assert for_itself(fresh, reading(WEB, of=fresh).situation, None).reason == ""
    denied = attempt(UNIX, reason="unix denies it")
    assert for_itself(denied, reading(WEB, of=denied).situation, None).reason == "unix denies it"
