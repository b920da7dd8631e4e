"""One process that asked for something, and what it was answered."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from finial.explain.evidence import Said

BLOCKED: Final = "no identity issued: the identity of the process is blocked"
"""All that a caller is told of a block; why, since when and by which is for operators."""


NO_ENTRY: Final = "no identity issued: no entry of this agent matches the process"
"""What a caller is told whom no entry names."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The process as the kernel recorded it when it connected.

    `started` is when it started, in the kernel's clock ticks, 0 if that is not known; `exe` is its
    program as it calls it. `pid` is 0 where the process cannot be seen from here. Processes of one
    control group have the same `group`.
    """

    pid: int
    uid: int
    gid: int
    started: int = 0
    exe: str = ""
    group: int = 0


@dataclass(slots=True)
class Attempt:
    """What one process was answered, `count` times from `first_at` to `last_at` (Unix seconds).

    `reason` is what a refused one was told, empty for one that was served; `remedy` what it may do.
    `refusal` is the id of a refusal. `asked_for` is the SPIFFE ID it wanted, if it named one;
    `served_until` when the same process was last served before it was refused, and `granted` with
    which SPIFFE IDs. `has_ended` is found out when it is explained.
    """

    caller: Caller
    method: str
    said: tuple[Said, ...]
    first_at: float
    last_at: float
    count: int = 1
    reason: str = ""
    remedy: str = ""
    refusal: str = ""
    asked_for: str = ""
    served_until: float = 0.0
    granted: Collection[object] = ()
    has_ended: bool = False
