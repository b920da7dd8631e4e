"""What an external service says of an identity, and for how long that counts."""

import pytest

from ca.registry.standing_answer import (
    LONGEST,
    MAX_ANSWER,
    MOST,
    Opinion,
    StandingAnswer,
    StandingAnswers,
    read_answer,
)
from finial.spiffe.refusal import Refusal
from tests.doubles.entries import sid

NOW = 1000.0
WEB = sid("/web")


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        (b'{"standing":"allow"}', StandingAnswer(Opinion.ALLOW, NOW + 60)),
        (
            b'{"standing":"deny","lifetime":5,"reason":"a\\nb"}',
            StandingAnswer(Opinion.DENY, NOW + 5, "a?b"),
        ),
        (b'{"standing":"unknown","lifetime":-1}', StandingAnswer(Opinion.UNKNOWN, NOW + 1)),
        (b'{"standing":"allow","lifetime":99999}', StandingAnswer(Opinion.ALLOW, NOW + LONGEST)),
        (b'{"standing":"allow","more":1}', StandingAnswer(Opinion.ALLOW, NOW + 60)),
    ],
)
def test_answer_is_read(document: bytes, answer: StandingAnswer) -> None:
    """A lifetime is a second to an hour; a reason is printable and short."""
    assert read_answer(document, NOW, 60) == answer


@pytest.mark.parametrize(
    "document",
    [b"", b"allow", b'{"standing":"maybe"}', b"\xff", b"{}", b" " * (MAX_ANSWER + 1)],
)
def test_what_is_no_answer_is_refused(document: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(Refusal):
        read_answer(document, NOW, 60)


def test_answer_counts_until_it_is_over() -> None:
    """Then somebody has to ask again, as long as the identity is used."""
    answers = StandingAnswers()
    answers.put(WEB, StandingAnswer(Opinion.ALLOW, NOW + 60), NOW, used=True)
    assert answers.get(WEB, NOW + 59) is not None
    assert answers.due(NOW + 59, lambda _: 0) == ()
    assert answers.get(WEB, NOW + 60) is None
    assert answers.due(NOW + 60, lambda _: 0) == (WEB,)
    answers.put(WEB, StandingAnswer(Opinion.ALLOW, NOW + 4000), NOW + 60, used=False)
    assert answers.due(NOW + 4000, lambda _: 0) == ()
    assert len(answers) == 0


def test_who_was_denied_is_asked_about_as_long_as_that_lasts() -> None:
    """Nothing is issued for such an identity, so nobody uses it."""
    answers = StandingAnswers()
    answers.put(WEB, StandingAnswer(Opinion.DENY, NOW + 1), NOW, used=False)
    assert answers.due(NOW + 99_999, lambda _: 0) == (WEB,)


def test_who_holds_something_for_long_is_asked_about_for_as_long() -> None:
    """Nothing new is issued meanwhile, and what was issued is in use."""
    answers = StandingAnswers()
    answers.put(WEB, StandingAnswer(Opinion.ALLOW, NOW + 60), NOW, used=True)
    assert answers.due(NOW + 86_399, {WEB: 86_400}.__getitem__) == (WEB,)
    assert WEB in answers
    assert answers.due(NOW + 86_400, {WEB: 86_400}.__getitem__) == ()
    assert WEB not in answers


def test_memory_is_bounded() -> None:
    """The longest unused go first."""
    answers = StandingAnswers()
    allow = StandingAnswer(Opinion.ALLOW, NOW + 60)
    for number in range(MOST):
        answers.put(sid(f"/{number}"), allow, NOW, used=True)
    answers.get(sid("/0"), NOW)
    answers.put(WEB, allow, NOW, used=True)
    assert len(answers) == MOST
    assert answers.get(sid("/0"), NOW) is not None
    assert answers.get(sid("/1"), NOW) is None
