"""What was decided, and how much a callee lets rules decide."""

import enum
from dataclasses import dataclass

from finial.policy.grounds import Ground


class Mode(enum.StrEnum):
    """A callee's mode: set explicitly, never derived from the rules there are.

    OPEN asks no rule. SHADOW asks them, lets everything through and says what it would have done.
    ENFORCE denies what no rule allows.
    """

    OPEN = "open"
    SHADOW = "shadow"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say; `by` are the names of those that decided, if any did."""

    allowed: bool
    ground: Ground
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a request.

    With `shadow` it is let through although the rules say no; `ground` and `by` are theirs.
    """

    allowed: bool
    ground: Ground
    by: tuple[str, ...] = ()
    shadow: bool = False
