"""What an external service says of an identity, and for how long that counts."""

import enum
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

SHORTEST: Final = 1
LONGEST: Final = 3600
MAX_REASON: Final = 200
MAX_ANSWER: Final = 16 * 1024
MOST: Final = 10_000
FORGOTTEN_AFTER: Final = 3600.0
"""Seconds after which nobody is asked any more about an identity for which nothing was issued that
lives longer."""


class Opinion(enum.StrEnum):
    """What the service thinks of an identity; one that is unknown to it is let be."""

    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StandingAnswer:
    """One answer; it counts until then, in Unix seconds."""

    opinion: Opinion
    until: float
    reason: str = ""


class _Document(msgspec.Struct):
    standing: Opinion
    lifetime: float = 0.0
    reason: str = ""


def read_answer(document: bytes, now: float, lifetime: float) -> StandingAnswer:
    """Read `{"standing": "allow", "lifetime": 60, "reason": ""}`; a lifetime is 1 to 3,600 s.

    `lifetime` is that of an answer that has none.

    Raises: Refusal of kind INVALID.
    """
    if len(document) > MAX_ANSWER:
        raise Refusal(Kind.INVALID, f"the answer has more than {MAX_ANSWER} bytes")
    try:
        found = msgspec.json.decode(document, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal(Kind.INVALID, f"the answer is none: {error}") from None
    seconds = min(max(found.lifetime or lifetime, SHORTEST), LONGEST)
    reason = "".join(char if char.isprintable() else "?" for char in found.reason[:MAX_REASON])
    return StandingAnswer(found.standing, now + seconds, reason)


class StandingAnswers:
    """The answers that count, and whom to ask about again; bounded, the longest unused go first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[SpiffeId, tuple[StandingAnswer, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, spiffe_id: SpiffeId) -> bool:
        """Whether there is an answer, also one that is over."""
        return spiffe_id in self._answers

    def get(self, spiffe_id: SpiffeId, now: float) -> StandingAnswer | None:
        """The answer that counts; it is used by that."""
        found = self._answers.get(spiffe_id)
        if found is None or found[0].until <= now:
            return None
        self._answers[spiffe_id] = found[0], now
        self._answers.move_to_end(spiffe_id)
        return found[0]

    def put(self, spiffe_id: SpiffeId, answer: StandingAnswer, now: float, *, used: bool) -> None:
        """Keep an answer; `used` says that something was to be issued."""
        before = self._answers.get(spiffe_id)
        self._answers[spiffe_id] = answer, now if used or before is None else before[1]
        if used:
            self._answers.move_to_end(spiffe_id)
        while len(self._answers) > MOST:
            self._answers.popitem(last=False)

    def due(self, now: float, life: Callable[[SpiffeId], float]) -> tuple[SpiffeId, ...]:
        """Those whose answer is over and for whom something was issued lately.

        `life` says for how many seconds what is issued for one may be good. Whoever was denied is
        asked about as long as that lasts; others are forgotten.
        """
        late = [(each, *found) for each, found in self._answers.items() if found[0].until <= now]
        kept = []
        for spiffe_id, answer, used_at in late:
            if answer.opinion is Opinion.DENY or now - used_at < max(
                FORGOTTEN_AFTER, life(spiffe_id)
            ):
                kept.append(spiffe_id)
            else:
                del self._answers[spiffe_id]
        return tuple(kept)
