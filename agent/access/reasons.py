"""Why a request is denied before any rule is asked: a closed list beside that of the rules."""

import enum
from collections.abc import Mapping
from typing import Final

from finial.policy.grounds import Ground


class Obstacle(enum.StrEnum):
    """The reason id of a denial that no rule made; it may be shown to anybody."""

    NO_CALLEE = "no_callee"
    CALLEE_UNNAMED = "callee_unnamed"
    CALLEE_NOT_YOURS = "callee_not_yours"
    CALLEE_BLOCKED = "callee_blocked"
    CALLER_BLOCKED = "caller_blocked"
    PRINCIPAL_MALFORMED = "principal_malformed"
    PRINCIPAL_DOUBTED = "principal_doubted"
    FORWARDED_MALFORMED = "forwarded_malformed"
    FOREIGN_TRUST_DOMAIN = "foreign_trust_domain"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - the name of a reason
    RULES_STALE = "rules_stale"
    NOT_AUDITED = "not_audited"

    @property
    def sentence(self) -> str:
        """What it means, for the operator."""
        return _SENTENCES[self]


Reason = Ground | Obstacle

_SENTENCES: Final[Mapping[Obstacle, str]] = {
    Obstacle.NO_CALLEE: "the proxy that asked has no identity on this node",
    Obstacle.CALLEE_UNNAMED: "the proxy has several identities and named none of them as callee",
    Obstacle.CALLEE_NOT_YOURS: "the proxy named a callee that is none of its own identities",
    Obstacle.CALLEE_BLOCKED: "the callee is blocked",
    Obstacle.CALLER_BLOCKED: "the caller is blocked",
    Obstacle.PRINCIPAL_MALFORMED: "the caller's certificate has no SPIFFE ID that could be read",
    Obstacle.PRINCIPAL_DOUBTED: "the caller's certificate does not say what the proxy says of it",
    Obstacle.FORWARDED_MALFORMED: "the proxy's header about the caller's certificate is broken",
    Obstacle.FOREIGN_TRUST_DOMAIN: "the callee does not federate with the caller's trust domain",
    Obstacle.TOKEN_REFUSED: "the caller's JWT-SVID is not valid here",
    Obstacle.RULES_STALE: "the rules are older than this agent may use without its server",
    Obstacle.NOT_AUDITED: "the decision could not be written to the audit log",
}
