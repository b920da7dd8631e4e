"""What was decided, and how much a callee lets rules decide."""

import enum

import msgspec

from finial.policy.grounds import Ground


class Mode(enum.StrEnum):
    """A callee's mode: set explicitly, never derived from the rules there are.

    OPEN asks no rule. SHADOW asks them, lets everything through and says what it would have done.
    ENFORCE denies what no rule allows.
    """

    OPEN = "open"
    SHADOW = "shadow"
    ENFORCE = "enforce"


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What the rules say; `by` are the names of those that decided, if any did."""

    allowed: bool
    ground: Ground
    by: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What happens to a request.

    With `shadow` it is let through although the rules say no; `ground` and `by` are theirs.
    """

    allowed: bool
    ground: Ground
    by: tuple[str, ...] = ()
    shadow: bool = False
