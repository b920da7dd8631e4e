"""What is remembered of decisions, and how a denial is explained."""

from itertools import count

import pytest

from agent.access.denials import Denials
from agent.access.explaining import denial_summary, explain_denial
from agent.access.held_policies import HeldPolicies
from agent.access.verdict import Verdict
from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, Reader
from tests.doubles.access import CHARGE
from tests.unit.agent_access.desk import (
    FRONT,
    NOW,
    ORDERS,
    PAYMENT,
    PROXY,
    Caller,
    Ground,
    Means,
    Obstacle,
    Outcome,
    Reason,
    SpiffeId,
    verdict,
)


def denials(most: int = 512) -> Denials:
    numbers = count(1)
    return Denials(lambda: f"d{next(numbers)}", most)


def test_the_same_denial_is_one_with_a_count() -> None:
    """Under the id that it had first."""
    known = denials()
    first = known.remember(verdict(), PROXY, NOW)
    again = known.remember(verdict(), PROXY, NOW + 1)
    assert again is first
    assert (first.id, first.count, first.first_at, first.last_at) == ("d1", 2, NOW, NOW + 1)
    assert known.of("d1") is first
    assert known.of("d2") is None
    other = known.remember(verdict(path="/b"), PROXY, NOW)
    assert known.newest(9) == [other, first]


def test_whoever_is_denied_most_pushes_out_their_own() -> None:
    """A flood of one caller leaves the others' denials where they are."""
    known = denials(most=3)
    known.remember(verdict(caller=FRONT), PROXY, NOW)
    for number in range(9):
        known.remember(verdict(path=f"/{number}"), PROXY, NOW)
    assert [each.verdict.path for each in known.newest(9)] == ["/8", "/7", "/a"]
    for number in range(3):
        known.remember(verdict(caller=None, path=f"/{number}"), PROXY, NOW)
    assert len(known.newest(9)) == 3


def test_one_denial_alone_makes_room_for_another() -> None:
    """However small the memory is."""
    known = denials(most=1)
    known.remember(verdict(), PROXY, NOW)
    known.remember(verdict(caller=None), PROXY, NOW)
    assert [each.id for each in known.newest(9)] == ["d2"]


def held(mode: Mode = Mode.ENFORCE) -> HeldPolicies:
    document = PolicyDocument(version=3, callees={str(PAYMENT): mode}, policies=(CHARGE,))
    return HeldPolicies(Reader().policy_set(document))


@pytest.mark.parametrize(
    ("mode", "fault", "path", "outcome", "reason"),
    [
        (Mode.ENFORCE, None, "/transaction/1", Outcome.ALLOWED, Ground.ALLOWED),
        (Mode.ENFORCE, None, "/x", Outcome.DENIED, Ground.NO_RULE),
        (Mode.SHADOW, None, "/x", Outcome.SHADOWED, Ground.NO_RULE),
        (Mode.OPEN, None, "/x", Outcome.ALLOWED, Ground.OPEN),
        (
            Mode.ENFORCE,
            Obstacle.RULES_STALE,
            "/transaction/1",
            Outcome.DENIED,
            Obstacle.RULES_STALE,
        ),
        (Mode.SHADOW, Obstacle.RULES_STALE, "/x", Outcome.SHADOWED, Obstacle.RULES_STALE),
        (Mode.OPEN, Obstacle.RULES_STALE, "/x", Outcome.ALLOWED, Ground.OPEN),
    ],
)
def test_a_fault_stands_for_what_rules_would_say(
    mode: Mode, fault: Obstacle | None, path: str, outcome: Outcome, reason: Reason
) -> None:
    """In the callee's mode, as the rules themselves."""
    rules = held(mode)
    for _ in range(2):
        found = rules.decide(ORDERS, PAYMENT, "POST", path, fault)
        assert found[:2] == (outcome, reason)


def causes(given: Verdict, rules: HeldPolicies | None) -> list[str]:
    denial = denials().remember(given, PROXY, NOW)
    return list(explain_denial(denial, rules, "a").causes)


def test_the_operator_is_told_who_whom_and_why() -> None:
    """With the rules that are about both, if any are."""
    [what, why] = causes(verdict(), held())
    assert what == (
        "spiffe://example.org/orders (by its certificate) was denied GET /a at "
        "spiffe://example.org/payment: no rule allows it"
    )
    assert '"orders may charge"' in why
    assert "no rule is about" in causes(verdict(caller=FRONT), held())[1]
    assert len(causes(verdict(), None)) == 1


def test_what_else_was_known_is_told() -> None:
    """The proxies between, the block or the token's fault, and the rules that forbid."""
    through = Caller(ORDERS, Means.FORWARDED, through=(FRONT,))
    given = Verdict(Outcome.DENIED, Ground.FORBIDDEN, PAYMENT, through, by=tuple("abcdefg"))
    [what, by] = causes(given, held())
    assert "through spiffe://example.org/front," in what
    assert by.endswith("and 2 more")
    nobody = verdict(Obstacle.NO_CALLEE, None, callee=None, because="so it is")
    [what, why] = causes(nobody, held())
    assert what.startswith("a caller without an identity was denied GET /a at a callee")
    assert why == "so it is"


@pytest.mark.parametrize("reason", [*Ground, *Obstacle])
def test_every_reason_has_a_sentence_and_a_summary(reason: Reason) -> None:
    """And an id of its own that may be shown to anybody."""
    caller: SpiffeId | None = ORDERS
    denial = denials().remember(verdict(reason, caller), PROXY, NOW)
    assert reason.sentence
    assert denial_summary(denial, "a").reason.startswith(reason.value)
    explained = explain_denial(denial, held(), "a")
    assert explained.refusal == "d1"


def test_reasons_are_told_apart() -> None:
    """No obstacle has the id of a ground."""
    assert not {each.value for each in Ground} & {each.value for each in Obstacle}


def test_only_a_denial_stops_a_request() -> None:
    """Shadowed ones are let through."""
    assert verdict(outcome=Outcome.SHADOWED).lets_through
    assert not verdict().lets_through


def test_a_command_to_paste_quotes_what_a_caller_chose() -> None:
    """A path is no place to hide a command for the operator's shell in."""
    denial = denials().remember(verdict(path="/a;reboot"), PROXY, NOW)
    [fix] = explain_denial(denial, held(), "a").fixes
    assert fix.command.endswith(" GET '/a;reboot'")
