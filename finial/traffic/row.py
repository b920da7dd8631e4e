"""One line of the record: one caller, one callee, one kind of request, and how often it was."""

from typing import Annotated, Literal

import msgspec

Means = Literal["mtls", "forwarded", "jwt", "none"]
"""What proved who called."""

Outcome = Literal["allowed", "shadowed", "denied"]
"""What came of it; what is shadowed was let through although the rules say no."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Text = Annotated[str, msgspec.Meta(max_length=512)]
Name = Annotated[str, msgspec.Meta(max_length=64)]
Instant = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
"""Unix seconds to the end of the year 9999, so that whoever reads it can write it as a date."""

Id = Annotated[str, msgspec.Meta(max_length=2048)]


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Requests of one kind; times are Unix seconds, IDs empty for nobody.

    `shape` is the path with its changing parts as stars. Without `method`, `shape` and `reason` it
    is about all requests of the pair for which there was no row. `example` is a path that was not
    let through by a rule, as it was sent but for its query.

    Within one epoch of the record `born` tells the row apart from an earlier one of the same kind.
    """

    caller: Id = ""
    callee: Id = ""
    means: Means
    outcome: Outcome
    method: Name = ""
    shape: Text = ""
    reason: Name = ""
    example: Text = ""
    first_at: Instant
    last_at: Instant
    count: Count
    born: Count
