"""What a proxy is answered, with all that there is to record of it."""

import enum
from typing import Final

import msgspec

from agent.access.caller import NOBODY, Caller
from agent.access.reasons import Reason
from finial.spiffe.identity import SpiffeId

MAX_SHOWN: Final = 512
"""Characters of a path, of a method and of a host that records keep."""


class Outcome(enum.StrEnum):
    """What happens to a request; a SHADOWED one is let through although the rules say no."""

    ALLOWED = "allowed"
    SHADOWED = "shadowed"
    DENIED = "denied"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """One decision. `callee` is missing where the proxy has none.

    `by` are the names of rules that decided, `because` says more to the operator: of a block, or of
    a token. `path` has no query.
    """

    outcome: Outcome
    reason: Reason
    callee: SpiffeId | None
    caller: Caller = NOBODY
    method: str = ""
    path: str = ""
    by: tuple[str, ...] = ()
    because: str = ""

    @property
    def lets_through(self) -> bool:
        """Whether the request goes on to the callee."""
        return self.outcome is not Outcome.DENIED
