"""What a record of traffic is asked for, and what it answers."""

import base64
import binascii
import enum
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import msgspec

from ca.registry.page import foreign_token
from finial.policy.id_pattern import IdPattern
from finial.spiffe.identity import SpiffeId
from finial.traffic import Means, Outcome


class By(enum.StrEnum):
    """How finely flows are told apart."""

    PAIRS = "pairs"
    REQUESTS = "requests"


class FlowKey(NamedTuple):
    """What makes two requests the same flow.

    Without `method`, `shape` and `reason` it is all of a pair, or what no kind was noted of.
    """

    callee: SpiffeId | None
    caller: SpiffeId | None
    means: Means
    outcome: Outcome
    method: str = ""
    shape: str = ""
    reason: str = ""

    @property
    def pair(self) -> Self:
        """The same without what tells requests apart."""
        return self._replace(method="", shape="", reason="")

    @property
    def place(self) -> tuple[str, ...]:
        """Where it stands in the order of a list."""
        callee = "" if self.callee is None else str(self.callee)
        caller = "" if self.caller is None else str(self.caller)
        return (callee, caller, *self[2:])


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests of one kind, on all `agents` that saw them; times are Unix seconds."""

    key: FlowKey
    count: int
    first_at: float
    last_at: float
    example: str
    agents: frozenset[SpiffeId]

    def plus(self, other: Self) -> Self:
        """Both together; the example is that of the later one, if it has one."""
        newer, older = (self, other) if self.last_at >= other.last_at else (other, self)
        return replace(
            self,
            count=self.count + other.count,
            first_at=min(self.first_at, other.first_at),
            last_at=newer.last_at,
            example=newer.example or older.example,
            agents=self.agents | other.agents,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFilter:
    """What all has to be true of a flow; None leaves that question out.

    `nobody` asks for callers that proved no identity. `since` is in Unix seconds, and about when
    it was seen last.
    """

    caller: IdPattern | None = None
    nobody: bool = False
    callee: IdPattern | None = None
    outcomes: frozenset[str] | None = None
    means: frozenset[str] | None = None
    agent: SpiffeId | None = None
    since: float = 0.0

    def matches(self, key: FlowKey, last_at: float) -> bool:
        """Whether that is asked for; the agent is judged elsewhere."""
        return (
            last_at >= self.since
            and (self.outcomes is None or key.outcome in self.outcomes)
            and (self.means is None or key.means in self.means)
            and (not self.nobody or key.caller is None)
            and _is(self.caller, key.caller)
            and _is(self.callee, key.callee)
        )


def write_token(key: FlowKey) -> str:
    """The token of the page that begins after that flow."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key.place)).decode().rstrip("=")


def read_token(token: str) -> tuple[str, ...]:
    """The place after which a page begins.

    Raises: Refusal of kind INVALID.
    """
    padded = token + "=" * (-len(token) % 4)
    try:
        return _place.decode(base64.urlsafe_b64decode(padded))
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, ValueError):
        raise foreign_token(token) from None


_place: Final = msgspec.json.Decoder(tuple[str, str, str, str, str, str, str])


def _is(pattern: IdPattern | None, spiffe_id: SpiffeId | None) -> bool:
    return pattern is None or (spiffe_id is not None and pattern.matches(spiffe_id))
