"""The one way to say no: a refusal is a value with a closed list of kinds."""

import enum


class Kind(enum.Enum):
    """Why something was refused; `finial.wire.status` maps each kind to gRPC and HTTP."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not found"
    EXISTS = "already exists"
    PRECONDITION = "precondition failed"
    STALE = "stale"
    EXHAUSTED = "exhausted"
    TIMEOUT = "timed out"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"


class Reason(enum.Enum):
    """What an agent that was denied has to do about it (SPIRE's PermissionDeniedDetails).

    From 100 on the reasons are ours; a SPIRE agent that does not know them tries again later.
    """

    UNKNOWN = 0
    AGENT_EXPIRED = 1
    AGENT_NOT_ATTESTED = 2
    AGENT_NOT_ACTIVE = 3
    AGENT_BANNED = 4
    AGENT_MUST_REATTEST = 5
    AGENT_BLOCKED = 100


class Refusal(Exception):
    """Someone asked for something and is told no, in words that are safe to show to them.

    `detail` says what was wrong; `field` and `value` name the place, where there is one;
    `remedy` says what to do. Whatever else escapes is a bug, not a refusal.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        field: str = "",
        value: str = "",
        remedy: str = "",
        reason: Reason | None = None,
    ) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.field = field
        self.value = value
        self.remedy = remedy
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.detail}: {self.remedy}" if self.remedy else self.detail
